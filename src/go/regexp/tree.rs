//! The tree that a pattern stands for.

use super::class::Class;

/// A node with what its size limits are checked by.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub node: Node,
    /// The longest path down to a leaf, in nodes.
    pub height: usize,
    /// The number of instructions that Go would compile it to.
    pub size: u64,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    Empty,
    /// Code points in a row. One that is no Unicode scalar value (`\x{D800}`) matches nothing.
    Literal {
        runes: Vec<u32>,
        fold_case: bool,
    },
    Class(Class),
    AnyRune,
    AnyRuneButNewline,
    TextStart,
    TextEnd,
    LineStart,
    LineEnd,
    WordBoundary,
    NoWordBoundary,
    Capture(Box<Tree>),
    Repeat {
        repeated: Box<Tree>,
        count: Count,
        greedy: bool,
    },
    Sequence(Vec<Tree>),
    Choice(Vec<Tree>),
}

/// How often a repeated node may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    Star,
    Plus,
    Question,
    /// `{min}`, `{min,}` (no maximum) or `{min,max}`.
    Braces {
        min: u32,
        max: Option<u32>,
    },
}

impl Tree {
    pub fn new(node: Node) -> Self {
        let (height, size) = measure(&node);
        Self {
            node,
            height,
            size: size.max(1),
        }
    }

    /// Whether no chain of counted repetitions inside repeats its innermost node more than `limit` times.
    pub fn repeats_at_most(&self, limit: u32) -> bool {
        let mut limit = limit;
        if let Node::Repeat {
            count: Count::Braces { min, max },
            ..
        } = self.node
        {
            if max == Some(0) {
                return true;
            }
            let copies = max.unwrap_or(min);
            if copies > limit {
                return false;
            }
            limit = limit.checked_div(copies).unwrap_or(limit);
        }
        self.children()
            .iter()
            .all(|child| child.repeats_at_most(limit))
    }

    fn children(&self) -> &[Tree] {
        match &self.node {
            Node::Capture(inner)
            | Node::Repeat {
                repeated: inner, ..
            } => std::slice::from_ref(inner),
            Node::Sequence(children) | Node::Choice(children) => children,
            _ => &[],
        }
    }
}

fn measure(node: &Node) -> (usize, u64) {
    let over = |children: &[Tree]| 1 + children.iter().map(|child| child.height).max().unwrap_or(0);
    let sum = |children: &[Tree]| children.iter().map(|child| child.size).sum::<u64>();
    match node {
        Node::Literal { runes, .. } => (1, runes.len() as u64),
        Node::Capture(inner) => (1 + inner.height, 2 + inner.size),
        Node::Repeat {
            repeated, count, ..
        } => (1 + repeated.height, repeated_size(repeated.size, *count)),
        Node::Sequence(children) => (over(children), sum(children)),
        Node::Choice(children) => (over(children), sum(children) + children.len() as u64 - 1),
        _ => (1, 1),
    }
}

fn repeated_size(size: u64, count: Count) -> u64 {
    match count {
        Count::Star | Count::Braces { min: 0, max: None } => 2 + size,
        Count::Plus | Count::Question => 1 + size,
        Count::Braces { min, max: None } => u64::from(min).saturating_mul(size).saturating_add(1),
        Count::Braces {
            min,
            max: Some(max),
        } => u64::from(max)
            .saturating_mul(size)
            .saturating_add(u64::from(max.saturating_sub(min))),
    }
}
