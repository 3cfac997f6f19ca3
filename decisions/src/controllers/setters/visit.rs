//! Mirrors image-automation-controller 1.2 `internal/update/filter.go`: which nodes of a document can take a value, in which order.

use std::collections::HashSet;

use crate::yaml::{Kind, NodeId, View};

/// Those of the `wanted` nodes that can take a value; both in document order. Only scalars that are values or items can: keys can't,
/// nor what an alias refers to, nor what is below a key that occurred before in the same mapping.
pub(super) fn settable(view: View<'_>, wanted: &[NodeId]) -> Vec<NodeId> {
    let mut search = Search {
        view,
        wanted,
        found: Vec::new(),
        open: Vec::new(),
    };
    search.meet(view.root());
    while !search.open.is_empty() && !search.wanted.is_empty() {
        search.step();
    }
    search.found
}

struct Search<'a, 'w> {
    view: View<'a>,
    /// What may still be met.
    wanted: &'w [NodeId],
    found: Vec<NodeId>,
    open: Vec<Open<'a>>,
}

/// A collection that holds something wanted.
struct Open<'a> {
    id: NodeId,
    children: crate::yaml::Children<'a>,
    is_mapping: bool,
    /// How many keys were met, and their texts once they matter.
    keys: usize,
    seen: Option<HashSet<&'a str>>,
}

impl<'a> Open<'a> {
    /// Whether a key occurred before. It is the last of the keys met.
    fn is_repeated(&mut self, view: View<'a>, key: NodeId) -> bool {
        let (id, before) = (self.id, self.keys - 1);
        let seen = self.seen.get_or_insert_with(|| {
            let keys = view.fields(id).take(before);
            keys.map(|(key, _)| view.value(key)).collect()
        });
        !seen.insert(view.value(key))
    }
}

impl Search<'_, '_> {
    /// The next child of the innermost open collection.
    fn step(&mut self) {
        let view = self.view;
        let Some(open) = self.open.last_mut() else {
            return;
        };
        let Some(child) = open.children.next() else {
            self.open.pop();
            return;
        };
        if !open.is_mapping {
            self.meet(child);
            return;
        }
        open.keys += 1;
        let Some(value) = open.children.next() else {
            self.open.pop();
            return;
        };
        let holds_wanted = holds(&mut self.wanted, view, value);
        if !holds_wanted && open.seen.is_none() {
            return;
        }
        if open.is_repeated(view, child) {
            if holds_wanted {
                let end = view.end_of(value);
                self.wanted = &self.wanted[self.wanted.partition_point(|id| *id < end)..];
            }
        } else if holds_wanted {
            self.meet(value);
        }
    }

    fn meet(&mut self, id: NodeId) {
        if !holds(&mut self.wanted, self.view, id) {
            return;
        }
        let kind = self.view.kind(id);
        match kind {
            Kind::Scalar => {
                self.found.push(id);
                self.wanted = &self.wanted[1..];
            }
            Kind::Alias => self.wanted = &self.wanted[1..],
            Kind::Sequence | Kind::Mapping => self.open.push(Open {
                id,
                children: self.view.children(id),
                is_mapping: kind == Kind::Mapping,
                keys: 0,
                seen: None,
            }),
        }
    }
}

/// Whether something wanted is at or below a node; what is wanted before it can't be met any more.
fn holds(wanted: &mut &[NodeId], view: View<'_>, id: NodeId) -> bool {
    if id.is_added() {
        return false;
    }
    *wanted = &wanted[wanted.partition_point(|other| *other < id)..];
    wanted.first().is_some_and(|first| *first < view.end_of(id))
}
