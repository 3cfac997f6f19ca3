//! Writes a tree in the syntax of the `regex` crate, with no flags and every character and class spelt out.

use std::fmt::Write as _;

use super::class::{self, CharacterSet};
use super::tree::{Kind, NodeId, Tree};

/// The longest translation, in bytes.
const MAXIMUM_LENGTH: usize = 16 << 20;

/// The pattern for the crate, whose groups have the same numbers; `None` when it would be too long.
pub(super) fn translate(tree: &Tree, root: NodeId) -> Option<String> {
    let mut translated = String::new();
    let mut waiting = vec![Piece::Node(root)];
    while let Some(piece) = waiting.pop() {
        match piece {
            Piece::Text(text) => translated.push_str(text),
            Piece::Repeat { id } => push_operator(&mut translated, tree, id),
            Piece::Node(id) => push_node(&mut translated, &mut waiting, tree, id),
        }
        if translated.len() > MAXIMUM_LENGTH {
            return None;
        }
    }
    Some(translated)
}

/// What is still to be written.
enum Piece {
    Node(NodeId),
    Text(&'static str),
    /// The operator of a repetition.
    Repeat {
        id: NodeId,
    },
}

fn push_node(translated: &mut String, waiting: &mut Vec<Piece>, tree: &Tree, id: NodeId) {
    let node = tree.node(id);
    match &node.kind {
        // Neither of the last two is in a finished tree.
        Kind::Nothing | Kind::OpenGroup { .. } | Kind::Bar => {
            push_set(translated, &CharacterSet::default())
        }
        Kind::Empty => translated.push_str("(?:)"),
        Kind::Literal(characters) => {
            for &character in characters {
                if node.flags.fold_case {
                    push_set(translated, &class::equivalents(character));
                } else {
                    push_set(translated, &CharacterSet::single(character));
                }
            }
        }
        Kind::Class(set) => push_set(translated, set),
        Kind::AnyButNewline => translated.push_str("[^\\n]"),
        Kind::Any => translated.push_str("(?s:.)"),
        Kind::LineStart => translated.push_str("(?m:^)"),
        Kind::LineEnd => translated.push_str("(?m:$)"),
        Kind::TextStart => translated.push_str("\\A"),
        Kind::TextEnd => translated.push_str("\\z"),
        Kind::WordBoundary => translated.push_str("(?-u:\\b)"),
        Kind::NotWordBoundary => translated.push_str("(?-u:\\B)"),
        Kind::Capture(_) => {
            translated.push('(');
            waiting.push(Piece::Text(")"));
            waiting.extend(node.children.iter().map(|&child| Piece::Node(child)));
        }
        Kind::Star | Kind::Plus | Kind::Question | Kind::Repeat { .. } => {
            translated.push_str("(?:");
            waiting.push(Piece::Repeat { id });
            waiting.extend(node.children.iter().map(|&child| Piece::Node(child)));
        }
        Kind::Concatenation => {
            waiting.extend(node.children.iter().rev().map(|&child| Piece::Node(child)))
        }
        Kind::Alternation => {
            translated.push_str("(?:");
            waiting.push(Piece::Text(")"));
            for (index, &child) in node.children.iter().enumerate().rev() {
                waiting.push(Piece::Node(child));
                if index > 0 {
                    waiting.push(Piece::Text("|"));
                }
            }
        }
    }
}

fn push_operator(translated: &mut String, tree: &Tree, id: NodeId) {
    let node = tree.node(id);
    translated.push(')');
    match node.kind {
        Kind::Star => translated.push('*'),
        Kind::Plus => translated.push('+'),
        Kind::Repeat {
            minimum,
            maximum: None,
        } => push_formatted(translated, format_args!("{{{minimum},}}")),
        Kind::Repeat {
            minimum,
            maximum: Some(maximum),
        } => {
            push_formatted(translated, format_args!("{{{minimum},{maximum}}}"));
        }
        _ => translated.push('?'),
    }
    if node.flags.ungreedy {
        translated.push('?');
    }
}

/// A class, or a character where there is only one; surrogates are in no text and are left out.
fn push_set(translated: &mut String, set: &CharacterSet) {
    let ranges: Vec<(char, char)> = set
        .ranges()
        .iter()
        .flat_map(|&range| class::scalar_ranges(range))
        .collect();
    match ranges[..] {
        [] => translated.push_str("[^\\x{0}-\\x{10FFFF}]"),
        [(low, high)] if low == high => push_character(translated, low),
        _ => {
            translated.push('[');
            for (low, high) in ranges {
                push_character(translated, low);
                if low < high {
                    translated.push('-');
                    push_character(translated, high);
                }
            }
            translated.push(']');
        }
    }
}

fn push_character(translated: &mut String, character: char) {
    if character.is_ascii_alphanumeric() {
        translated.push(character);
    } else {
        push_formatted(
            translated,
            format_args!("\\x{{{:X}}}", u32::from(character)),
        );
    }
}

fn push_formatted(translated: &mut String, text: std::fmt::Arguments<'_>) {
    // A `String` takes anything that is written to it.
    let _ = translated.write_fmt(text);
}
