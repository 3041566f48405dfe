//! The page's types, written from ours.

use std::{
    any::TypeId,
    collections::{BTreeMap, HashSet},
};

use assistant::{
    KeyState, ProbeReport,
    prelude::{Action, Settings},
};
use ts_rs::{Config, TS, TypeVisitor};

use crate::commands::{Catalog, ChannelMessage, CommandError, DeviceChoice, KeyKeep};

/// Returns `ui/src/ipc/types.ts` as it must be.
pub fn bindings() -> String {
    let config = Config::new().with_large_int("number");
    let mut types = Collected { config: &config, seen: HashSet::new(), out: BTreeMap::new() };
    types.visit::<ChannelMessage>();
    types.visit::<Action>();
    types.visit::<Settings>();
    types.visit::<Catalog>();
    types.visit::<DeviceChoice>();
    types.visit::<CommandError>();
    types.visit::<KeyState>();
    types.visit::<KeyKeep>();
    types.visit::<ProbeReport>();
    let head = "// Written from the Rust types by `cargo xtask ui --types`; a test compares them.\n\n";
    format!("{head}{}", types.out.into_values().collect::<Vec<_>>().join("\n"))
}

struct Collected<'a> {
    config: &'a Config,
    seen: HashSet<TypeId>,
    out: BTreeMap<String, String>,
}

impl TypeVisitor for Collected<'_> {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        if T::output_path().is_none() || !self.seen.insert(TypeId::of::<T>()) {
            return;
        }
        let text = format!("export {}\n", T::decl(self.config));
        self.out.insert(T::ident(self.config), text);
        T::visit_dependencies(self);
    }
}

#[cfg(test)]
mod tests {
    /// `VIVAVOCE_WRITE_TYPES=1` writes the file in place of comparing it.
    #[test]
    fn the_pages_types_are_ours() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../ui/src/ipc/types.ts");
        if std::env::var_os("VIVAVOCE_WRITE_TYPES").is_some() {
            std::fs::write(path, super::bindings()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), super::bindings());
    }
}
