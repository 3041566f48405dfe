//! A tray such as a desktop's panel is: it takes the app's icon, reads its menu and clicks in it.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use zbus::{
    Connection, Proxy, fdo, interface,
    message::Header,
    zvariant::{OwnedObjectPath, OwnedValue, Structure, Value},
};

const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const LIMIT: Duration = Duration::from_secs(30);

/// An entry's id, properties and children.
type Layout = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

#[derive(Default)]
struct Watcher {
    items: Vec<String>,
}

#[interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    fn register_status_notifier_item(&mut self, service: &str, #[zbus(header)] header: Header<'_>) -> fdo::Result<()> {
        let sender = header.sender().map(ToString::to_string).unwrap_or_default();
        self.items.push(if service.starts_with('/') {
            format!("{sender}{service}")
        } else {
            format!("{service}/StatusNotifierItem")
        });
        Ok(())
    }

    fn register_status_notifier_host(&self, _service: &str) {}

    #[zbus(property)]
    fn registered_status_notifier_items(&self) -> Vec<String> {
        self.items.clone()
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }
}

/// A panel on the session bus.
pub struct Tray {
    bus: Connection,
}

/// An entry of the icon's menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    id: i32,
    /// What it says.
    pub label: String,
    /// Whether it is ticked.
    pub ticked: bool,
}

impl Tray {
    /// Puts a panel on the session bus; before the app opens.
    pub async fn start() -> Self {
        let bus = zbus::connection::Builder::session()
            .and_then(|b| b.serve_at("/StatusNotifierWatcher", Watcher::default()))
            .and_then(|b| b.name(WATCHER))
            .unwrap();
        Self { bus: bus.build().await.unwrap() }
    }

    async fn menu(&self) -> Option<Proxy<'static>> {
        let server = self.bus.object_server().interface::<_, Watcher>("/StatusNotifierWatcher").await.unwrap();
        let item = server.get().await.items.last().cloned()?;
        let (name, path) = item.split_at(item.find('/')?);
        let (name, path) = (name.to_owned(), path.to_owned());
        let icon = Proxy::new(&self.bus, name.clone(), path, "org.kde.StatusNotifierItem").await.ok()?;
        let menu: OwnedObjectPath = icon.get_property("Menu").await.ok()?;
        Proxy::new(&self.bus, name, menu, "com.canonical.dbusmenu").await.ok()
    }

    /// Returns the entries of the app's menu; none before it has an icon.
    pub async fn entries(&self) -> Vec<Entry> {
        let Some(menu) = self.menu().await else { return Vec::new() };
        let _: Result<bool, _> = menu.call("AboutToShow", &(0i32)).await;
        let layout: Result<(u32, Layout), _> = menu.call("GetLayout", &(0i32, -1i32, Vec::<&str>::new())).await;
        let children = layout.map(|(_, (_, _, children))| children).unwrap_or_default();
        children.into_iter().filter_map(entry).collect()
    }

    /// Waits for an entry.
    pub async fn until(&self, what: &str, pick: impl Fn(&Entry) -> bool) -> Entry {
        let due = Instant::now() + LIMIT;
        loop {
            let entries = self.entries().await;
            if let Some(entry) = entries.iter().find(|e| pick(e)) {
                return entry.clone();
            }
            assert!(Instant::now() < due, "{what}: the menu has {entries:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Clicks the entry of that name.
    pub async fn click(&self, label: &str) {
        let entry = self.until(label, |e| e.label == label).await;
        let menu = self.menu().await.unwrap();
        let event = (entry.id, "clicked", Value::from(0i32), 0u32);
        menu.call::<_, _, ()>("Event", &event).await.unwrap();
    }
}

fn entry(value: OwnedValue) -> Option<Entry> {
    let fields = Structure::try_from(value).ok()?.into_fields();
    let mut fields = fields.into_iter();
    let id = i32::try_from(fields.next()?).ok()?;
    let properties: HashMap<String, Value<'_>> = fields.next()?.try_into().ok()?;
    let label: String = properties.get("label")?.try_clone().ok()?.try_into().ok()?;
    let ticked = properties.get("toggle-state").and_then(|v| i32::try_from(v).ok()) == Some(1);
    Some(Entry { id, label: label.replace('_', ""), ticked })
}
