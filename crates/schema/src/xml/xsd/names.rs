//! Names of a schema as small numbers, found without allocation.

use std::collections::HashMap;

use super::super::name::QName;

/// The number of a name.
pub(super) type NameId = u32;

#[derive(Default)]
pub(super) struct Names {
    spaces: HashMap<String, HashMap<String, NameId>>,
    list: Vec<QName>,
}

impl Names {
    /// The number of a name, a new one where it has none.
    pub(super) fn id(&mut self, name: &QName) -> NameId {
        if let Some(id) = self.find(&name.namespace, &name.local) {
            return id;
        }
        let id = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(name.clone());
        self.spaces.entry(name.namespace.clone()).or_default().insert(name.local.clone(), id);
        id
    }

    /// The number of a name that the schema has.
    pub(super) fn find(&self, namespace: &str, local: &str) -> Option<NameId> {
        self.spaces.get(namespace)?.get(local).copied()
    }

    /// A name by its number, without its namespace.
    pub(super) fn local(&self, id: NameId) -> &str {
        self.list.get(id as usize).map_or("", |name| &name.local)
    }
}
