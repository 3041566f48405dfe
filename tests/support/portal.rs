//! A portal for shortcuts on the session bus, as a Wayland desktop has one.

use std::collections::HashMap;

use tokio::sync::watch;
use zbus::{
    Connection, interface,
    message::Header,
    object_server::SignalEmitter,
    zvariant::{OwnedObjectPath, OwnedValue, Value},
};

const DESKTOP: &str = "/org/freedesktop/portal/desktop";

type Options = HashMap<String, OwnedValue>;

/// The portal; it ends with this value.
pub struct Portal {
    bus: Connection,
    /// The session, and the trigger that was asked for in it.
    pub bound: watch::Receiver<Option<(OwnedObjectPath, String)>>,
}

struct GlobalShortcuts {
    bound: watch::Sender<Option<(OwnedObjectPath, String)>>,
}

impl Portal {
    /// Takes the portal's name on the bus.
    pub async fn start() -> Self {
        let (told, bound) = watch::channel(None);
        let bus = zbus::connection::Builder::session()
            .and_then(|b| b.serve_at(DESKTOP, GlobalShortcuts { bound: told }))
            .and_then(|b| b.name("org.freedesktop.portal.Desktop"));
        Self { bus: bus.unwrap().build().await.unwrap(), bound }
    }

    /// Presses the shortcut, or lets go of it.
    pub async fn key(&self, down: bool) {
        let name = if down { "Activated" } else { "Deactivated" };
        let (session, _) = self.bound.borrow().clone().expect("a shortcut is bound");
        let body = (session, "talk", 1u64, HashMap::<String, Value<'_>>::new());
        let interface = "org.freedesktop.portal.GlobalShortcuts";
        self.bus.emit_signal(None::<&str>, DESKTOP, interface, name, &body).await.unwrap();
    }
}

/// Returns where a caller expects its request or session.
fn place(kind: &str, header: &Header<'_>, token: &OwnedValue) -> OwnedObjectPath {
    let sender = header.sender().unwrap().trim_start_matches(':').replace('.', "_");
    let token = String::try_from(token.clone()).unwrap();
    OwnedObjectPath::try_from(format!("{DESKTOP}/{kind}/{sender}/{token}")).unwrap()
}

/// Answers a request, as portals do: by a signal at a path that the caller knows.
fn answer(bus: &Connection, path: OwnedObjectPath, results: HashMap<&'static str, Value<'static>>) -> OwnedObjectPath {
    let (bus, at) = (bus.clone(), path.clone());
    tokio::spawn(async move {
        let body = (0u32, results);
        bus.emit_signal(None::<&str>, at, "org.freedesktop.portal.Request", "Response", &body).await.unwrap();
    });
    path
}

#[interface(name = "org.freedesktop.portal.GlobalShortcuts")]
impl GlobalShortcuts {
    #[zbus(property, name = "version")]
    fn version(&self) -> u32 {
        1
    }

    fn create_session(
        &self,
        options: Options,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> OwnedObjectPath {
        let session = place("session", &header, &options["session_handle_token"]);
        let results = HashMap::from([("session_handle", Value::from(session.to_string()))]);
        answer(bus, place("request", &header, &options["handle_token"]), results)
    }

    fn bind_shortcuts(
        &self,
        session: OwnedObjectPath,
        shortcuts: Vec<(String, Options)>,
        _window: String,
        options: Options,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> OwnedObjectPath {
        let trigger = String::try_from(shortcuts[0].1["preferred_trigger"].clone()).unwrap();
        self.bound.send(Some((session, trigger))).unwrap();
        answer(bus, place("request", &header, &options["handle_token"]), HashMap::new())
    }

    #[zbus(signal)]
    async fn activated(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;
}
