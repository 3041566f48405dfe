//! Between the session and a window: text at most 20 times a second, the last state of everything.

use std::{collections::BTreeMap, time::Duration};

use session::{ItemView, ViewEvent};
use tokio::{sync::mpsc, time::Instant};

/// 20 Hz.
const TEXT_EVERY: Duration = Duration::from_millis(50);

/// Carries view events from `from` to `to`; an item that changes faster than it is shown is shown as it last was.
pub(crate) async fn coalesce(mut from: mpsc::Receiver<ViewEvent>, to: mpsc::Sender<ViewEvent>) {
    let mut waiting: BTreeMap<String, ItemView> = BTreeMap::new();
    let mut due = Instant::now();
    loop {
        tokio::select! {
            event = from.recv() => match event {
                None => return,
                Some(ViewEvent::Item { item }) => {
                    if waiting.is_empty() {
                        due = due.max(Instant::now());
                    }
                    waiting.insert(item.id.clone(), item);
                }
                Some(other) => {
                    if let ViewEvent::ItemRemoved { id } = &other {
                        waiting.remove(id);
                    }
                    if matches!(other, ViewEvent::Cleared) {
                        waiting.clear();
                    }
                    if to.send(other).await.is_err() {
                        return;
                    }
                }
            },
            () = tokio::time::sleep_until(due), if !waiting.is_empty() => {
                for item in std::mem::take(&mut waiting).into_values() {
                    if to.send(ViewEvent::Item { item }).await.is_err() {
                        return;
                    }
                }
                due = Instant::now() + TEXT_EVERY;
            }
        }
    }
}
