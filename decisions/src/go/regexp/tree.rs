//! The tree of a pattern, and the limits on its height and size.
//!
//! Go counts the nodes that it has allocated and remembers heights and sizes by node, not always anew after a change.
//! Both decide which huge patterns are refused, so nodes live in an arena here, and are given back and taken again in
//! Go's order.

use super::class::CharacterSet;

/// The greatest height of a tree that Go accepts.
pub(super) const MAXIMUM_HEIGHT: u32 = 1000;

/// The greatest number of instructions that Go's program may have, by its rough count beforehand.
const MAXIMUM_SIZE: u64 = (128 << 20) / 40;

/// A node's place in the arena.
pub(super) type NodeId = usize;

/// A part of the pattern, from its first byte to the one after its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// The part between two places of a pattern, which is far shorter than 4 GiB.
    pub(super) fn new(start: usize, end: usize) -> Self {
        let place = |place| u32::try_from(place).unwrap_or(u32::MAX);
        Self {
            start: place(start),
            end: place(end),
        }
    }
}

/// What `(?imsU)` sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub fold_case: bool,
    pub many_lines: bool,
    pub dot_matches_newline: bool,
    pub ungreedy: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nothing,
    Empty,
    /// One code point or more.
    Literal(Vec<u32>),
    Class(CharacterSet),
    AnyButNewline,
    Any,
    LineStart,
    LineEnd,
    TextStart,
    TextEnd,
    WordBoundary,
    NotWordBoundary,
    /// A group, with its number.
    Capture(u32),
    Star,
    Plus,
    Question,
    /// From `minimum` to `maximum` times, without an end when that is `None`.
    Repeat {
        minimum: u32,
        maximum: Option<u32>,
    },
    Concatenation,
    Alternation,
    /// Only on the parser's stack: an open group, with its number where it captures.
    OpenGroup {
        number: Option<u32>,
    },
    /// Only on the parser's stack: what is below it is an alternation.
    Bar,
}

impl Kind {
    /// Where the kind stands among the four that can be one class; a greater one takes in a smaller one.
    pub(super) fn class_rank(&self) -> Option<u8> {
        match self {
            Self::Literal(characters) if characters.len() == 1 => Some(0),
            Self::Class(_) => Some(1),
            Self::AnyButNewline => Some(2),
            Self::Any => Some(3),
            _ => None,
        }
    }

    pub(super) fn is_only_on_the_stack(&self) -> bool {
        matches!(self, Self::OpenGroup { .. } | Self::Bar)
    }

    /// The numbers that Go keeps for the node: one for each character, two for each range.
    pub(super) fn number_count(&self) -> usize {
        match self {
            Self::Literal(characters) => characters.len(),
            Self::Class(set) => 2 * set.ranges().len(),
            _ => 0,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub kind: Kind,
    pub flags: Flags,
    pub children: Vec<NodeId>,
    /// Where it stands in the pattern: a span for each character of a literal, one for any other leaf, none for the rest.
    pub spans: Vec<Span>,
    height: Option<u32>,
    size: Option<u64>,
}

/// Which limit a tree has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    Height,
    Size,
}

#[derive(Clone, Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    free: Vec<NodeId>,
    /// The product of all repeat counts seen, no more than [`MAXIMUM_SIZE`].
    repeats: u64,
    tracks_height: bool,
    tracks_size: bool,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self {
            nodes: Vec::new(),
            free: Vec::new(),
            repeats: 1,
            tracks_height: false,
            tracks_size: false,
        }
    }

    /// How many nodes there are, those given back included; the tree is no higher than that.
    pub(super) fn node_count(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id]
    }

    pub(super) fn kind(&self, id: NodeId) -> &Kind {
        &self.nodes[id].kind
    }

    pub(super) fn add(&mut self, kind: Kind, flags: Flags, children: Vec<NodeId>) -> NodeId {
        if let Some(id) = self.free.pop() {
            let node = &mut self.nodes[id];
            node.kind = kind;
            node.flags = flags;
            node.children = children;
            node.spans.clear();
            return id;
        }
        self.nodes.push(Node {
            kind,
            flags,
            children,
            spans: Vec::new(),
            height: None,
            size: None,
        });
        self.nodes.len() - 1
    }

    /// Lets the next [`Self::add`] take the node. Its size, unlike its height, is remembered beyond that.
    pub(super) fn give_back(&mut self, id: NodeId) {
        let node = &mut self.nodes[id];
        node.height = None;
        node.children = Vec::new();
        self.free.push(id);
    }

    /// One span from the first of both nodes' spans to the last, for the first node.
    pub(super) fn merge_spans(&mut self, target: NodeId, source: NodeId) {
        let spans = [&self.nodes[target].spans[..], &self.nodes[source].spans[..]].concat();
        let start = spans.iter().map(|span| span.start).min();
        let end = spans.iter().map(|span| span.end).max();
        self.nodes[target].spans = start
            .zip(end)
            .map(|(start, end)| Span { start, end })
            .into_iter()
            .collect();
    }

    /// Puts a merged class in order, or makes it one of the shorter kinds that mean the same.
    pub(super) fn settle_class(&mut self, id: NodeId) {
        let kind = &mut self.nodes[id].kind;
        let Kind::Class(set) = kind else { return };
        set.settle();
        if set.is_everything() {
            *kind = Kind::Any;
        } else if set.is_everything_but_newline() {
            *kind = Kind::AnyButNewline;
        }
    }

    /// Checks the limits for a node that was just made; `stack` is what the parser holds, for the first count of all.
    pub(super) fn check_limits(&mut self, id: NodeId, stack: &[NodeId]) -> Result<(), Limit> {
        self.check_size(id, stack)?;
        self.check_height(id, stack)
    }

    fn check_size(&mut self, id: NodeId, stack: &[NodeId]) -> Result<(), Limit> {
        if !self.tracks_size {
            self.count_repeat(id);
            if (self.nodes.len() as u64) < MAXIMUM_SIZE / self.repeats {
                return Ok(());
            }
            self.tracks_size = true;
            for &waiting in stack {
                self.check_size(waiting, &[])?;
            }
        }
        if self.measure_size(id) > MAXIMUM_SIZE {
            return Err(Limit::Size);
        }
        Ok(())
    }

    fn count_repeat(&mut self, id: NodeId) {
        if let Kind::Repeat { minimum, maximum } = self.nodes[id].kind {
            let count = u64::from(maximum.unwrap_or(minimum).max(1));
            self.repeats = if count > MAXIMUM_SIZE / self.repeats {
                MAXIMUM_SIZE
            } else {
                self.repeats * count
            };
        }
    }

    /// Go's rough count of the instructions for a finished tree.
    pub(super) fn size(&mut self, root: NodeId) -> u64 {
        self.known_size(root)
    }

    fn known_size(&mut self, id: NodeId) -> u64 {
        match self.nodes[id].size {
            Some(size) => size,
            None => self.measure_size(id),
        }
    }

    fn measure_size(&mut self, id: NodeId) -> u64 {
        let children = std::mem::take(&mut self.nodes[id].children);
        let sizes: u64 = children.iter().map(|&child| self.known_size(child)).sum();
        let count = children.len() as u64;
        let node = &mut self.nodes[id];
        node.children = children;
        let size = match &node.kind {
            Kind::Literal(characters) => characters.len() as u64,
            Kind::Capture(_) | Kind::Star => 2 + sizes,
            Kind::Plus | Kind::Question => 1 + sizes,
            Kind::Concatenation => sizes,
            Kind::Alternation => sizes + count.saturating_sub(1),
            Kind::Repeat {
                minimum: 0,
                maximum: None,
            } => 2 + sizes,
            Kind::Repeat {
                minimum,
                maximum: None,
            } => 1 + u64::from(*minimum) * sizes,
            Kind::Repeat {
                minimum,
                maximum: Some(maximum),
            } => u64::from(*maximum) * sizes + u64::from(maximum - minimum),
            _ => 0,
        };
        let size = size.max(1);
        node.size = Some(size);
        size
    }

    fn check_height(&mut self, id: NodeId, stack: &[NodeId]) -> Result<(), Limit> {
        if self.nodes.len() < MAXIMUM_HEIGHT as usize {
            return Ok(());
        }
        if !self.tracks_height {
            self.tracks_height = true;
            for &waiting in stack {
                self.check_height(waiting, &[])?;
            }
        }
        if self.measure_height(id) > MAXIMUM_HEIGHT {
            return Err(Limit::Height);
        }
        Ok(())
    }

    fn known_height(&mut self, id: NodeId) -> u32 {
        match self.nodes[id].height {
            Some(height) => height,
            None => self.measure_height(id),
        }
    }

    fn measure_height(&mut self, id: NodeId) -> u32 {
        let children = std::mem::take(&mut self.nodes[id].children);
        let tallest = children
            .iter()
            .map(|&child| self.known_height(child))
            .max()
            .unwrap_or(0);
        self.nodes[id].children = children;
        self.nodes[id].height = Some(tallest + 1);
        tallest + 1
    }

    /// Whether no more than `allowed` copies of the innermost thing come of the repetitions in a tree.
    pub(super) fn repeats_at_most(&self, root: NodeId, allowed: u32) -> bool {
        let mut waiting = vec![(root, allowed)];
        while let Some((id, mut allowed)) = waiting.pop() {
            let node = &self.nodes[id];
            if let Kind::Repeat { minimum, maximum } = node.kind {
                let count = maximum.unwrap_or(minimum);
                if maximum == Some(0) {
                    continue;
                }
                if count > allowed {
                    return false;
                }
                allowed /= count.max(1);
            }
            waiting.extend(node.children.iter().map(|&child| (child, allowed)));
        }
        true
    }
}
