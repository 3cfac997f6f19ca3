//! Common beginnings of alternatives, taken out as Go does: that changes a tree's height, and so what is too deep.

use super::class::{self, CharacterSet};
use super::tree::{Flags, Kind, Limit, MAXIMUM_HEIGHT, NodeId, Span, Tree};

/// One node for several: nested nodes of the same kind are taken in, and alternatives factored.
pub(super) fn collapse(
    tree: &mut Tree,
    parts: Vec<NodeId>,
    kind: &Kind,
    stack: &[NodeId],
) -> Result<NodeId, Limit> {
    collapse_at(tree, parts, kind, stack, 0)
}

/// As [`collapse`], inside of `depth` beginnings that were taken out.
fn collapse_at(
    tree: &mut Tree,
    parts: Vec<NodeId>,
    kind: &Kind,
    stack: &[NodeId],
    depth: u32,
) -> Result<NodeId, Limit> {
    // Each beginning is a node around the next one, so that the tree would be found too high in the end.
    if depth > MAXIMUM_HEIGHT {
        return Err(Limit::Height);
    }
    if let [only] = parts[..] {
        return Ok(only);
    }
    let joined = tree.add(kind.clone(), Flags::default(), Vec::new());
    let mut children = Vec::with_capacity(parts.len());
    for part in parts {
        if tree.kind(part) == kind {
            children.append(&mut tree.node_mut(part).children);
            tree.give_back(part);
        } else {
            children.push(part);
        }
    }
    if *kind == Kind::Alternation {
        children = factor(tree, children, stack, depth)?;
        if let [only] = children[..] {
            tree.give_back(joined);
            return Ok(only);
        }
    }
    tree.node_mut(joined).children = children;
    Ok(joined)
}

/// Puts the characters of `source` into `target`, which is of the same class rank or a greater one. A class is left
/// unsettled.
pub(super) fn merge_classes(tree: &mut Tree, target: NodeId, source: NodeId) {
    tree.merge_spans(target, source);
    match tree.kind(target) {
        Kind::AnyButNewline if contains_newline(tree.kind(source)) => {
            tree.node_mut(target).kind = Kind::Any
        }
        Kind::Literal(_)
            if tree.kind(target) == tree.kind(source)
                && tree.node(target).flags == tree.node(source).flags => {}
        Kind::Literal(_) => {
            let mut merged = class_of(tree, target);
            merged.absorb(&class_of(tree, source));
            tree.node_mut(target).kind = Kind::Class(merged);
        }
        Kind::Class(_) => {
            let added = class_of(tree, source);
            if let Kind::Class(merged) = &mut tree.node_mut(target).kind {
                merged.absorb(&added);
            }
        }
        _ => {}
    }
}

fn contains_newline(kind: &Kind) -> bool {
    match kind {
        Kind::Literal(characters) => characters[..] == [0xA],
        Kind::Class(set) => set
            .ranges()
            .iter()
            .any(|&(low, high)| low <= 0xA && 0xA <= high),
        Kind::Any => true,
        _ => false,
    }
}

fn class_of(tree: &Tree, id: NodeId) -> CharacterSet {
    let node = tree.node(id);
    match &node.kind {
        Kind::Class(set) => set.clone(),
        Kind::Literal(characters) if node.flags.fold_case => class::equivalents(characters[0]),
        Kind::Literal(characters) => CharacterSet::single(characters[0]),
        _ => CharacterSet::default(),
    }
}

fn factor(
    tree: &mut Tree,
    alternatives: Vec<NodeId>,
    stack: &[NodeId],
    depth: u32,
) -> Result<Vec<NodeId>, Limit> {
    if alternatives.len() < 2 {
        return Ok(alternatives);
    }
    let alternatives = factor_strings(tree, alternatives, stack, depth)?;
    let alternatives = factor_first_parts(tree, alternatives, stack, depth)?;
    let alternatives = join_classes(tree, &alternatives);
    Ok(join_empty(tree, &alternatives))
}

/// `abc|abd` to `ab(?:c|d)`.
fn factor_strings(
    tree: &mut Tree,
    alternatives: Vec<NodeId>,
    stack: &[NodeId],
    depth: u32,
) -> Result<Vec<NodeId>, Limit> {
    let mut factored = Vec::new();
    let mut start = 0;
    while start < alternatives.len() {
        let (first, flags) = leading_string(tree, alternatives[start]);
        let (mut common, fold_case) = (first.len(), flags.fold_case);
        let first = first.to_vec();
        let mut end = start + 1;
        while end < alternatives.len() {
            let (other, flags) = leading_string(tree, alternatives[end]);
            let same = first[..common]
                .iter()
                .zip(other)
                .take_while(|(one, other)| one == other)
                .count();
            if same == 0 || flags.fold_case != fold_case {
                break;
            }
            common = same;
            end += 1;
        }
        if end == start + 1 {
            factored.push(alternatives[start]);
        } else {
            let flags = Flags {
                fold_case,
                ..Flags::default()
            };
            let spans = leading_spans(tree, alternatives[start], common);
            let prefix = tree.add(Kind::Literal(first[..common].to_vec()), flags, Vec::new());
            tree.node_mut(prefix).spans = spans;
            let mut rests = Vec::with_capacity(end - start);
            for &alternative in &alternatives[start..end] {
                let rest = remove_leading_string(tree, alternative, common);
                tree.check_limits(rest, stack)?;
                rests.push(rest);
            }
            factored.push(prefixed(tree, prefix, rests, stack, depth)?);
        }
        start = end;
    }
    Ok(factored)
}

/// `[a-c]x+|[a-c]y` to `[a-c](?:x+|y)`.
fn factor_first_parts(
    tree: &mut Tree,
    alternatives: Vec<NodeId>,
    stack: &[NodeId],
    depth: u32,
) -> Result<Vec<NodeId>, Limit> {
    let mut factored = Vec::new();
    let mut start = 0;
    while start < alternatives.len() {
        let first =
            leading_part(tree, alternatives[start]).filter(|&first| is_safe_to_factor(tree, first));
        let mut end = start + 1;
        if let Some(first) = first {
            while end < alternatives.len()
                && leading_part(tree, alternatives[end])
                    .is_some_and(|other| are_equal(tree, first, other))
            {
                end += 1;
            }
        }
        match first {
            Some(prefix) if end > start + 1 => {
                let mut rests = Vec::with_capacity(end - start);
                for (index, &alternative) in alternatives[start..end].iter().enumerate() {
                    let rest = remove_leading_part(tree, alternative, index > 0);
                    tree.check_limits(rest, stack)?;
                    rests.push(rest);
                }
                factored.push(prefixed(tree, prefix, rests, stack, depth)?);
            }
            _ => factored.push(alternatives[start]),
        }
        start = end;
    }
    Ok(factored)
}

/// `a|b|[0-9]` to `[ab0-9]`.
fn join_classes(tree: &mut Tree, alternatives: &[NodeId]) -> Vec<NodeId> {
    let mut joined = Vec::new();
    let mut start = 0;
    while start < alternatives.len() {
        let run = alternatives[start..]
            .iter()
            .take_while(|&&id| tree.kind(id).class_rank().is_some())
            .count();
        if run < 2 {
            joined.push(alternatives[start]);
            start += 1;
            continue;
        }
        let mut members = alternatives[start..start + run].to_vec();
        let greatest = greatest_class(tree, &members);
        members.swap(0, greatest);
        for &member in &members[1..] {
            merge_classes(tree, members[0], member);
            tree.give_back(member);
        }
        tree.settle_class(members[0]);
        joined.push(members[0]);
        start += run;
    }
    joined
}

/// The index of the first of the members that the others are put into.
fn greatest_class(tree: &Tree, members: &[NodeId]) -> usize {
    let rank = |index: usize| {
        let kind = tree.kind(members[index]);
        (kind.class_rank(), kind.number_count())
    };
    (1..members.len()).fold(0, |best, index| {
        if rank(best) < rank(index) {
            index
        } else {
            best
        }
    })
}

fn join_empty(tree: &Tree, alternatives: &[NodeId]) -> Vec<NodeId> {
    let is_empty = |index: usize| {
        alternatives
            .get(index)
            .is_some_and(|&id| *tree.kind(id) == Kind::Empty)
    };
    (0..alternatives.len())
        .filter(|&index| !(is_empty(index) && is_empty(index + 1)))
        .map(|index| alternatives[index])
        .collect()
}

fn prefixed(
    tree: &mut Tree,
    prefix: NodeId,
    rests: Vec<NodeId>,
    stack: &[NodeId],
    depth: u32,
) -> Result<NodeId, Limit> {
    let suffix = collapse_at(tree, rests, &Kind::Alternation, stack, depth + 1)?;
    Ok(tree.add(Kind::Concatenation, Flags::default(), vec![prefix, suffix]))
}

fn leading_string(tree: &Tree, id: NodeId) -> (&[u32], Flags) {
    let node = match (tree.kind(id), tree.node(id).children.first()) {
        (Kind::Concatenation, Some(&first)) => tree.node(first),
        _ => tree.node(id),
    };
    match &node.kind {
        Kind::Literal(characters) => (characters, node.flags),
        _ => (&[], Flags::default()),
    }
}

/// Where the first `count` characters of the leading string stand in the pattern.
fn leading_spans(tree: &Tree, id: NodeId, count: usize) -> Vec<Span> {
    let node = match (tree.kind(id), tree.node(id).children.first()) {
        (Kind::Concatenation, Some(&first)) => tree.node(first),
        _ => tree.node(id),
    };
    node.spans.iter().take(count).copied().collect()
}

fn remove_leading_string(tree: &mut Tree, id: NodeId, count: usize) -> NodeId {
    if *tree.kind(id) != Kind::Concatenation {
        let node = tree.node_mut(id);
        if let Kind::Literal(characters) = &mut node.kind {
            characters.drain(..count);
            node.spans.drain(..count.min(node.spans.len()));
            if characters.is_empty() {
                node.kind = Kind::Empty;
            }
        }
        return id;
    }
    let first = remove_leading_string(tree, tree.node(id).children[0], count);
    tree.node_mut(id).children[0] = first;
    if *tree.kind(first) != Kind::Empty {
        return id;
    }
    tree.give_back(first);
    drop_first(tree, id)
}

fn leading_part(tree: &Tree, id: NodeId) -> Option<NodeId> {
    let first = match (tree.kind(id), tree.node(id).children.first()) {
        (Kind::Concatenation, Some(&first)) => first,
        _ => id,
    };
    (*tree.kind(first) != Kind::Empty).then_some(first)
}

fn remove_leading_part(tree: &mut Tree, id: NodeId, gives_back: bool) -> NodeId {
    if *tree.kind(id) != Kind::Concatenation {
        if gives_back {
            tree.give_back(id);
        }
        return tree.add(Kind::Empty, Flags::default(), Vec::new());
    }
    if gives_back {
        let first = tree.node(id).children[0];
        tree.give_back(first);
    }
    drop_first(tree, id)
}

/// A concatenation without its first part: of two parts, only the second is left.
fn drop_first(tree: &mut Tree, id: NodeId) -> NodeId {
    let children = &mut tree.node_mut(id).children;
    children.remove(0);
    if let [only] = children[..] {
        tree.give_back(id);
        return only;
    }
    id
}

/// Whether it is a class, or a class repeated a fixed number of times: of anything else Go keeps the paths apart.
fn is_safe_to_factor(tree: &Tree, id: NodeId) -> bool {
    let node = tree.node(id);
    match node.kind {
        Kind::Repeat { minimum, maximum } => {
            maximum == Some(minimum) && tree.kind(node.children[0]).class_rank().is_some()
        }
        _ => node.kind.class_rank().is_some(),
    }
}

/// Whether a node that is safe to factor equals another.
fn are_equal(tree: &Tree, one: NodeId, other: NodeId) -> bool {
    let (first, second) = (tree.node(one), tree.node(other));
    if first.kind != second.kind {
        return false;
    }
    match first.kind {
        Kind::Literal(_) | Kind::Class(_) => first.flags.fold_case == second.flags.fold_case,
        Kind::Repeat { .. } => {
            first.flags.ungreedy == second.flags.ungreedy
                && are_equal(tree, first.children[0], second.children[0])
        }
        _ => true,
    }
}
