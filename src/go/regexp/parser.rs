//! Reads a pattern into a tree, by the rules of Go's `regexp/syntax` with its Perl flags, which `regexp.Compile` sets.

use super::class::{self, CharacterSet};
use super::escape::parse_escape;
use super::factor::{collapse, merge_classes};
use super::tree::{Flags, Kind, Limit, NodeId, Tree};
use super::{Code, Error};

/// The greatest repeat count, and the greatest product of nested ones.
const MAXIMUM_REPEAT: u32 = 1000;

/// The most numbers that all classes of a pattern may have; Go stops at eight times as many.
const MAXIMUM_CLASS_NUMBERS: usize = 4 << 20;

/// A pattern as a tree.
#[derive(Debug)]
pub(super) struct Parsed {
    pub tree: Tree,
    pub root: NodeId,
    /// The groups' names by their numbers; the first is the whole match's, `""`.
    pub names: Vec<String>,
}

/// Parses a pattern, or says what is wrong with it in Go's words.
pub(super) fn parse(pattern: &str) -> Result<Parsed, Error> {
    let mut parser = Parser {
        pattern,
        flags: Flags::default(),
        stack: Vec::new(),
        tree: Tree::new(),
        names: vec![String::new()],
        class_numbers: 0,
        last_named_class: pattern.rfind(":]").map(|place| pattern.len() - place),
    };
    parser.parse_all()?;
    parser.close_alternation()?;
    match parser.stack[..] {
        [root] => Ok(Parsed {
            tree: parser.tree,
            root,
            names: parser.names,
        }),
        _ => Err(Error::new(Code::MissingParenthesis, pattern)),
    }
}

struct Parser<'p> {
    pattern: &'p str,
    flags: Flags,
    /// What was read and isn't part of a greater node yet.
    stack: Vec<NodeId>,
    tree: Tree,
    names: Vec<String>,
    class_numbers: usize,
    /// How far from the pattern's end its last `:]` begins: what is closer needn't be searched for one.
    last_named_class: Option<usize>,
}

impl<'p> Parser<'p> {
    fn parse_all(&mut self) -> Result<(), Error> {
        let mut rest = self.pattern;
        // The last repetition operator and all that follows it, when nothing stands between it and `rest`.
        let mut last_repeat = None;
        while let Some(character) = rest.chars().next() {
            let start = rest;
            let mut repeat = None;
            rest = match character {
                '*' | '+' | '?' => {
                    repeat = Some(start);
                    let kind = match character {
                        '*' => Kind::Star,
                        '+' => Kind::Plus,
                        _ => Kind::Question,
                    };
                    self.parse_repetition(kind, start, &start[1..], last_repeat)?
                }
                '{' => match repeat_counts(start) {
                    Some((counts, after)) => {
                        repeat = Some(start);
                        let kind = counts.ok_or_else(|| {
                            Error::new(Code::RepeatCount, read_part(start, after))
                        })?;
                        self.parse_repetition(kind, start, after, last_repeat)?
                    }
                    None => {
                        self.push_literal('{'.into())?;
                        &start[1..]
                    }
                },
                _ => self.parse_item(character, start)?,
            };
            last_repeat = repeat;
        }
        Ok(())
    }

    /// Anything but a repetition.
    fn parse_item(&mut self, character: char, start: &'p str) -> Result<&'p str, Error> {
        let after = &start[character.len_utf8()..];
        match character {
            '(' if after.starts_with('?') => return self.parse_group_options(start),
            '(' => self.open_group(None)?,
            ')' => self.close_group()?,
            '|' => {
                self.concatenate()?;
                if !self.swap_bar() {
                    self.push_kind(Kind::Bar)?;
                }
            }
            '^' if self.flags.many_lines => self.push_kind(Kind::LineStart)?,
            '^' => self.push_kind(Kind::TextStart)?,
            '$' if self.flags.many_lines => self.push_kind(Kind::LineEnd)?,
            '$' => self.push_kind(Kind::TextEnd)?,
            '.' if self.flags.dot_matches_newline => self.push_kind(Kind::Any)?,
            '.' => self.push_kind(Kind::AnyButNewline)?,
            '[' => return self.parse_class(start),
            '\\' => return self.parse_backslash(start),
            _ => self.push_literal(character.into())?,
        }
        Ok(after)
    }

    fn parse_backslash(&mut self, start: &'p str) -> Result<&'p str, Error> {
        let kind = match start.as_bytes().get(1) {
            Some(b'A') => Kind::TextStart,
            Some(b'z') => Kind::TextEnd,
            Some(b'b') => Kind::WordBoundary,
            Some(b'B') => Kind::NotWordBoundary,
            Some(b'Q') => {
                let (literal, after) = start[2..].split_once("\\E").unwrap_or((&start[2..], ""));
                for character in literal.chars() {
                    self.push_literal(character.into())?;
                }
                return Ok(after);
            }
            _ => {
                // A node that Go takes before it knows what it will need.
                let node =
                    self.tree
                        .add(Kind::Class(CharacterSet::default()), self.flags, Vec::new());
                if let Some((set, after)) = self.class_escape(start)? {
                    self.tree.node_mut(node).kind = Kind::Class(set);
                    self.push(node)?;
                    return Ok(after);
                }
                self.tree.give_back(node);
                let (character, after) = parse_escape(start)?;
                self.push_literal(character)?;
                return Ok(after);
            }
        };
        self.push_kind(kind)?;
        Ok(&start[2..])
    }

    /// `\d`, `\pN`, `\p{Greek}` and the like at the beginning of `text`.
    fn class_escape<'t>(&self, text: &'t str) -> Result<Option<(CharacterSet, &'t str)>, Error> {
        if !text.starts_with('\\') {
            return Ok(None);
        }
        let Some(&letter) = text.as_bytes().get(1) else {
            return Ok(None);
        };
        if matches!(letter, b'p' | b'P') {
            return self.unicode_class(text, letter == b'P').map(Some);
        }
        let set = class::perl_class(letter);
        Ok(set.map(|set| (self.adjusted(set, letter.is_ascii_uppercase()), &text[2..])))
    }

    fn unicode_class<'t>(
        &self,
        text: &'t str,
        negated: bool,
    ) -> Result<(CharacterSet, &'t str), Error> {
        let invalid = |end: usize| Error::new(Code::CharacterRange, &text[..end]);
        let first = text[2..].chars().next();
        let (name, end) = if first == Some('{') {
            let end = text.find('}').ok_or_else(|| invalid(text.len()))?;
            (&text[3..end], end + 1)
        } else {
            let end = 2 + first.map_or(0, char::len_utf8);
            (&text[2..end], end)
        };
        let (name, negated) = match name.strip_prefix('^') {
            Some(name) => (name, !negated),
            None => (name, negated),
        };
        let set = class::unicode_class(name).ok_or_else(|| invalid(end))?;
        Ok((self.adjusted(set, negated), &text[end..]))
    }

    /// A named set under `(?i)`, then negated.
    fn adjusted(&self, set: CharacterSet, negated: bool) -> CharacterSet {
        let set = if self.flags.fold_case {
            set.folded()
        } else {
            set
        };
        if negated { set.negated() } else { set }
    }

    /// A class in brackets.
    fn parse_class(&mut self, start: &'p str) -> Result<&'p str, Error> {
        let node = self
            .tree
            .add(Kind::Class(CharacterSet::default()), self.flags, Vec::new());
        let mut rest = &start[1..];
        let negated = rest.starts_with('^');
        if negated {
            rest = &rest[1..];
        }
        let mut named = Vec::new();
        let mut spelt = Vec::new();
        let mut is_first = true;
        while is_first || !rest.starts_with(']') {
            is_first = false;
            if let Some((set, after)) = self.posix_class(rest)? {
                named.extend_from_slice(set.ranges());
                rest = after;
            } else if let Some((set, after)) = self.class_escape(rest)? {
                named.extend_from_slice(set.ranges());
                rest = after;
            } else {
                let (range, after) = class_range(rest, start)?;
                spelt.push(range);
                rest = after;
            }
            if named.len() + spelt.len() > MAXIMUM_CLASS_NUMBERS {
                return Err(Error::own_limit());
            }
        }
        let spelt = CharacterSet::new(spelt);
        let spelt = if self.flags.fold_case {
            spelt.folded()
        } else {
            spelt
        };
        let set = CharacterSet::new(named).union(&spelt);
        self.tree.node_mut(node).kind = Kind::Class(if negated { set.negated() } else { set });
        self.push(node)?;
        Ok(&rest[1..])
    }

    /// `[:alpha:]` or `[:^alpha:]` at the beginning of `text`.
    fn posix_class<'t>(&self, text: &'t str) -> Result<Option<(CharacterSet, &'t str)>, Error> {
        let is_ended = |inner: &&str| self.last_named_class.is_some_and(|end| end <= inner.len());
        let Some(inner) = text.strip_prefix("[:").filter(is_ended) else {
            return Ok(None);
        };
        let Some((name, after)) = inner.split_once(":]") else {
            return Ok(None);
        };
        let (plain, negated) = match name.strip_prefix('^') {
            Some(plain) => (plain, true),
            None => (name, false),
        };
        let set = class::posix_class(plain)
            .ok_or_else(|| Error::new(Code::CharacterRange, read_part(text, after)))?;
        Ok(Some((self.adjusted(set, negated), after)))
    }

    /// What starts with `(?`: a named group, flags, or a group that doesn't capture.
    fn parse_group_options(&mut self, start: &'p str) -> Result<&'p str, Error> {
        let name_start = if start.len() > 4 && start.starts_with("(?P<") {
            Some(4)
        } else if start.len() > 3 && start.starts_with("(?<") {
            Some(3)
        } else {
            None
        };
        if let Some(name_start) = name_start {
            let end = start
                .find('>')
                .ok_or_else(|| Error::new(Code::NamedCapture, start))?;
            let name = &start[name_start..end];
            let is_valid = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
            if name.is_empty() || !name.bytes().all(is_valid) {
                return Err(Error::new(Code::NamedCapture, &start[..=end]));
            }
            self.open_group(Some(name))?;
            return Ok(&start[end + 1..]);
        }
        self.parse_flags(start)
    }

    fn parse_flags(&mut self, start: &'p str) -> Result<&'p str, Error> {
        let mut flags = self.flags;
        let mut is_set = true;
        let mut has_flag = false;
        let mut characters = start[2..].chars();
        while let Some(character) = characters.next() {
            match character {
                'i' => flags.fold_case = is_set,
                'm' => flags.many_lines = is_set,
                's' => flags.dot_matches_newline = is_set,
                'U' => flags.ungreedy = is_set,
                '-' if is_set => {
                    is_set = false;
                    has_flag = false;
                    continue;
                }
                ':' | ')' if is_set || has_flag => {
                    if character == ':' {
                        self.push_kind(Kind::OpenGroup { captures: false })?;
                    }
                    self.flags = flags;
                    return Ok(characters.as_str());
                }
                _ => break,
            }
            has_flag = true;
        }
        Err(Error::new(
            Code::PerlSyntax,
            read_part(start, characters.as_str()),
        ))
    }

    fn open_group(&mut self, name: Option<&str>) -> Result<(), Error> {
        self.names.push(name.unwrap_or_default().to_owned());
        self.push_kind(Kind::OpenGroup { captures: true })
    }

    fn close_group(&mut self) -> Result<(), Error> {
        self.close_alternation()?;
        let unexpected = || Error::new(Code::UnexpectedParenthesis, self.pattern);
        let [.., group, inner] = self.stack[..] else {
            return Err(unexpected());
        };
        let Kind::OpenGroup { captures } = *self.tree.kind(group) else {
            return Err(unexpected());
        };
        self.stack.truncate(self.stack.len() - 2);
        self.flags = self.tree.node(group).flags;
        if !captures {
            return self.push(inner);
        }
        let node = self.tree.node_mut(group);
        node.kind = Kind::Capture;
        node.children = vec![inner];
        self.push(group)
    }

    /// Repeats what was read last. `start` begins with the operator, and `after` follows it.
    fn parse_repetition(
        &mut self,
        kind: Kind,
        start: &'p str,
        after: &'p str,
        last_repeat: Option<&'p str>,
    ) -> Result<&'p str, Error> {
        let mut flags = self.flags;
        let after = match after.strip_prefix('?') {
            Some(after) => {
                flags.ungreedy = !flags.ungreedy;
                after
            }
            None => after,
        };
        if let Some(last) = last_repeat {
            return Err(Error::new(Code::NestedRepetition, read_part(last, after)));
        }
        let Some(&repeated) = self
            .stack
            .last()
            .filter(|&&last| !self.tree.kind(last).is_only_on_the_stack())
        else {
            return Err(Error::new(
                Code::MissingRepeatArgument,
                read_part(start, after),
            ));
        };
        let counted = matches!(kind, Kind::Repeat { minimum, maximum } if minimum.max(maximum.unwrap_or(0)) >= 2);
        let node = self.tree.add(kind, flags, vec![repeated]);
        self.stack.pop();
        self.stack.push(node);
        self.check_limits(node)?;
        if counted && !self.tree.repeats_at_most(node, MAXIMUM_REPEAT) {
            return Err(Error::new(Code::RepeatCount, read_part(start, after)));
        }
        Ok(after)
    }

    fn push_kind(&mut self, kind: Kind) -> Result<(), Error> {
        let node = self.tree.add(kind, self.flags, Vec::new());
        self.push(node)
    }

    fn push_literal(&mut self, character: u32) -> Result<(), Error> {
        let kept = if self.flags.fold_case {
            class::equivalents(character).ranges()[0].0
        } else {
            character
        };
        self.push_kind(Kind::Literal(vec![kept]))
    }

    /// Puts a node on the stack; a class of one character, or of one in both cases, becomes a literal.
    fn push(&mut self, node: NodeId) -> Result<(), Error> {
        self.class_numbers += self.tree.kind(node).number_count();
        if self.class_numbers > MAXIMUM_CLASS_NUMBERS {
            return Err(Error::own_limit());
        }
        match self.as_literal(node) {
            Some((character, fold_case)) => {
                let flags = Flags {
                    fold_case,
                    ..self.flags
                };
                if self.join_literals(Some((character, flags))) {
                    return Ok(());
                }
                let node = self.tree.node_mut(node);
                node.kind = Kind::Literal(vec![character]);
                node.flags = flags;
            }
            None => {
                self.join_literals(None);
            }
        }
        self.stack.push(node);
        self.check_limits(node)
    }

    fn as_literal(&self, node: NodeId) -> Option<(u32, bool)> {
        let Kind::Class(set) = self.tree.kind(node) else {
            return None;
        };
        if let Some(character) = set.only() {
            return Some((character, false));
        }
        let first = set.ranges().first()?.0;
        (set.count_to_three() == 2 && class::equivalents(first) == *set).then_some((first, true))
    }

    /// Makes one literal of the two on top of the stack. `next` is then put in the place of the upper one, which is
    /// true as an answer; without two literals nothing is done with it.
    fn join_literals(&mut self, next: Option<(u32, Flags)>) -> bool {
        let [.., lower, upper] = self.stack[..] else {
            return false;
        };
        if self.tree.node(lower).flags.fold_case != self.tree.node(upper).flags.fold_case {
            return false;
        }
        let (Kind::Literal(_), Kind::Literal(characters)) =
            (self.tree.kind(lower), self.tree.kind(upper))
        else {
            return false;
        };
        let characters = characters.clone();
        if let Kind::Literal(joined) = &mut self.tree.node_mut(lower).kind {
            joined.extend(characters);
        }
        match next {
            Some((character, flags)) => {
                let node = self.tree.node_mut(upper);
                node.kind = Kind::Literal(vec![character]);
                node.flags = flags;
                true
            }
            None => {
                self.stack.pop();
                self.tree.give_back(upper);
                false
            }
        }
    }

    /// Makes one node of all above the last bar or open group.
    fn concatenate(&mut self) -> Result<(), Error> {
        self.join_literals(None);
        let parts = self.take_parts();
        self.push_joined(parts, &Kind::Concatenation, Kind::Empty)
    }

    /// Ends the last alternative, and makes one node of all that are above the last open group.
    fn close_alternation(&mut self) -> Result<(), Error> {
        self.concatenate()?;
        if self.swap_bar() {
            self.stack.pop();
        }
        let parts = self.take_parts();
        if let Some(&last) = parts.last() {
            self.tree.settle_class(last);
        }
        self.push_joined(parts, &Kind::Alternation, Kind::Nothing)
    }

    fn take_parts(&mut self) -> Vec<NodeId> {
        let tree = &self.tree;
        let start = self
            .stack
            .iter()
            .rposition(|&id| tree.kind(id).is_only_on_the_stack())
            .map_or(0, |index| index + 1);
        self.stack.split_off(start)
    }

    fn push_joined(
        &mut self,
        parts: Vec<NodeId>,
        kind: &Kind,
        without_parts: Kind,
    ) -> Result<(), Error> {
        let node = if parts.is_empty() {
            self.tree.add(without_parts, Flags::default(), Vec::new())
        } else {
            collapse(&mut self.tree, parts, kind, &self.stack)
                .map_err(|limit| self.limit_error(limit))?
        };
        self.push(node)
    }

    /// Brings a bar back to the top of the stack when it is right below the top; whether it was.
    ///
    /// Two classes around it become one, as Go does it: that is an alternative less.
    fn swap_bar(&mut self) -> bool {
        let [.., bar, top] = self.stack[..] else {
            return false;
        };
        if *self.tree.kind(bar) != Kind::Bar {
            return false;
        }
        let below = self.stack.len().checked_sub(3);
        if let Some(index) = below {
            let other = self.stack[index];
            let ranks = (
                self.tree.kind(top).class_rank(),
                self.tree.kind(other).class_rank(),
            );
            if let (Some(top_rank), Some(other_rank)) = ranks {
                let (target, source) = if top_rank > other_rank {
                    (top, other)
                } else {
                    (other, top)
                };
                self.stack[index] = target;
                merge_classes(&mut self.tree, target, source);
                self.tree.give_back(source);
                self.stack.pop();
                return true;
            }
            self.tree.settle_class(other);
        }
        let length = self.stack.len();
        self.stack.swap(length - 1, length - 2);
        true
    }

    fn check_limits(&mut self, node: NodeId) -> Result<(), Error> {
        self.tree
            .check_limits(node, &self.stack)
            .map_err(|limit| self.limit_error(limit))
    }

    fn limit_error(&self, limit: Limit) -> Error {
        let code = match limit {
            Limit::Height => Code::NestingDepth,
            Limit::Size => Code::Large,
        };
        Error::new(code, self.pattern)
    }
}

/// The part of `start` before `rest`, which is its end.
fn read_part<'t>(start: &'t str, rest: &str) -> &'t str {
    &start[..start.len() - rest.len()]
}

/// One character of a class, or a range of them; `class` begins with the bracket.
fn class_range<'t>(text: &'t str, class: &str) -> Result<((u32, u32), &'t str), Error> {
    let (low, after) = class_character(text, class)?;
    let Some(high) = after
        .strip_prefix('-')
        .filter(|high| !high.is_empty() && !high.starts_with(']'))
    else {
        return Ok(((low, low), after));
    };
    let (high, after) = class_character(high, class)?;
    if high < low {
        return Err(Error::new(Code::CharacterRange, read_part(text, after)));
    }
    Ok(((low, high), after))
}

fn class_character<'t>(text: &'t str, class: &str) -> Result<(u32, &'t str), Error> {
    let Some(character) = text.chars().next() else {
        return Err(Error::new(Code::MissingBracket, class));
    };
    if character == '\\' {
        return parse_escape(text);
    }
    Ok((character.into(), &text[character.len_utf8()..]))
}

/// The repetition of `{2}`, `{2,}` or `{2,5}` and what follows it. `None`: the brace is a literal; no repetition inside:
/// the counts are too great or the wrong way round.
fn repeat_counts(text: &str) -> Option<(Option<Kind>, &str)> {
    let (minimum, rest) = number(&text[1..])?;
    let (maximum, rest) = match rest.strip_prefix(',') {
        None => (Some(minimum), rest),
        Some(rest) if rest.starts_with('}') => (None, rest),
        Some(rest) => {
            let (maximum, rest) = number(rest)?;
            (Some(maximum), rest)
        }
    };
    let after = rest.strip_prefix('}')?;
    let is_valid = minimum.max(maximum.unwrap_or(0)) <= MAXIMUM_REPEAT
        && maximum.is_none_or(|maximum| minimum <= maximum);
    Some((is_valid.then_some(Kind::Repeat { minimum, maximum }), after))
}

/// A number without leading zeros; a great one is only known to be great.
fn number(text: &str) -> Option<(u32, &str)> {
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() || digits.len() > 1 && digits.starts_with('0') {
        return None;
    }
    Some((digits.parse().unwrap_or(u32::MAX), rest))
}
