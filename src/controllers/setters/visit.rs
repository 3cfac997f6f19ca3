//! Mirrors image-automation-controller 1.2 `internal/update/filter.go`: which nodes of a document can take a value, in which order.

use std::collections::HashSet;

use crate::yaml::{Document, NodeId, NodeKind};

/// Mappings up to this size are searched field by field for earlier keys of the same name.
const SMALL: usize = 16;

/// The scalars that are values or items, in document order. Keys aren't among them, nor what an alias refers to,
/// nor the values of keys that occurred before in the same mapping.
pub(super) fn scalars(document: &Document<'_>) -> Vec<NodeId> {
    let mut found = Vec::new();
    let mut stack = vec![document.root];
    while let Some(id) = stack.pop() {
        match &document.node(id).kind {
            NodeKind::Scalar { .. } => found.push(id),
            NodeKind::Sequence { items, .. } => stack.extend(items.iter().rev()),
            NodeKind::Mapping { fields, .. } => {
                let at = stack.len();
                stack.extend(first_values(document, fields));
                stack[at..].reverse();
            }
            NodeKind::Alias(_) => {}
        }
    }
    found
}

/// The values of the keys that don't occur before.
fn first_values(document: &Document<'_>, fields: &[(NodeId, NodeId)]) -> Vec<NodeId> {
    let key = |at: usize| document.node(fields[at].0).key_text();
    let mut seen = HashSet::new();
    (0..fields.len())
        .filter(|&at| {
            if fields.len() <= SMALL {
                return (0..at).all(|before| key(before) != key(at));
            }
            seen.insert(key(at))
        })
        .map(|at| fields[at].1)
        .collect()
}
