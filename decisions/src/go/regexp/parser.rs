//! Reads a pattern into a tree, by the rules of Go's `regexp/syntax` with its Perl flags, which `regexp.Compile` sets.

use super::class::{self, CharacterSet};
use super::escape::parse_escape;
use super::factor::{collapse, merge_classes};
use super::tree::{Flags, Kind, Limit, NodeId, Span, Tree};
use super::{Code, Error};
use std::collections::{BTreeMap, HashSet};

/// The greatest repeat count, and the greatest product of nested ones.
const MAXIMUM_REPEAT: u32 = 1000;

/// The most numbers that all nodes of a pattern may have in Go: one for each character, two for each range of a class.
const MAXIMUM_NUMBERS: usize = (128 << 20) / 4;

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
        named_sets: BTreeMap::new(),
        numbers: 0,
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
    /// The named sets that were met, as they are under `(?i)` (the second part of the key) and negated (the third).
    named_sets: BTreeMap<(String, bool, bool), CharacterSet>,
    numbers: usize,
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
                        self.place(start, &start[1..])
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
            '(' => {
                self.open_group(None)?;
                return Ok(after);
            }
            ')' => {
                self.close_group()?;
                return Ok(after);
            }
            '|' => {
                self.concatenate()?;
                if !self.swap_bar() {
                    self.push_kind(Kind::Bar)?;
                }
                return Ok(after);
            }
            '^' if self.flags.many_lines => self.push_kind(Kind::LineStart)?,
            '^' => self.push_kind(Kind::TextStart)?,
            '$' if self.flags.many_lines => self.push_kind(Kind::LineEnd)?,
            '$' => self.push_kind(Kind::TextEnd)?,
            '.' if self.flags.dot_matches_newline => self.push_kind(Kind::Any)?,
            '.' => self.push_kind(Kind::AnyButNewline)?,
            '[' => {
                let after = self.parse_class(start)?;
                return Ok(self.place(start, after));
            }
            '\\' => return self.parse_backslash(start),
            _ => self.push_literal(character.into())?,
        }
        Ok(self.place(start, after))
    }

    /// Notes where the leaf on top of the stack stands in the pattern, and gives what follows it.
    fn place(&mut self, start: &str, after: &'p str) -> &'p str {
        let span = Span::new(self.offset(start), self.offset(after));
        if let Some(&top) = self.stack.last() {
            self.tree.node_mut(top).spans = vec![span];
        }
        after
    }

    /// How far from the pattern's beginning a rest of it begins.
    fn offset(&self, rest: &str) -> usize {
        self.pattern.len() - rest.len()
    }

    fn parse_backslash(&mut self, start: &'p str) -> Result<&'p str, Error> {
        let kind = match start.as_bytes().get(1) {
            Some(b'A') => Kind::TextStart,
            Some(b'z') => Kind::TextEnd,
            Some(b'b') => Kind::WordBoundary,
            Some(b'B') => Kind::NotWordBoundary,
            Some(b'Q') => {
                let (literal, after) = start[2..].split_once("\\E").unwrap_or((&start[2..], ""));
                for (place, character) in literal.char_indices() {
                    self.push_literal(character.into())?;
                    let rest = &start[2 + place..];
                    self.place(rest, &rest[character.len_utf8()..]);
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
                    return Ok(self.place(start, after));
                }
                self.tree.give_back(node);
                let (character, after) = parse_escape(start)?;
                self.push_literal(character)?;
                return Ok(self.place(start, after));
            }
        };
        self.push_kind(kind)?;
        Ok(self.place(start, &start[2..]))
    }

    /// `\d`, `\pN`, `\p{Greek}` and the like at the beginning of `text`.
    fn class_escape<'t>(
        &mut self,
        text: &'t str,
    ) -> Result<Option<(CharacterSet, &'t str)>, Error> {
        if !text.starts_with('\\') {
            return Ok(None);
        }
        let Some(&letter) = text.as_bytes().get(1) else {
            return Ok(None);
        };
        if matches!(letter, b'p' | b'P') {
            return self.unicode_class(text, letter == b'P').map(Some);
        }
        let name = format!("\\{}", char::from(letter.to_ascii_lowercase()));
        let set = self.named_set(name, letter.is_ascii_uppercase(), |_| {
            class::perl_class(letter)
        });
        Ok(set.map(|set| (set, &text[2..])))
    }

    fn unicode_class<'t>(
        &mut self,
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
        let name = class::unicode_class_name(name);
        let set = self.named_set(name, negated, class::unicode_class);
        let set = set.ok_or_else(|| invalid(end))?;
        Ok((set, &text[end..]))
    }

    /// A named set as the flags want it, the same one each time.
    fn named_set(
        &mut self,
        name: String,
        negated: bool,
        find: impl Fn(&str) -> Option<CharacterSet>,
    ) -> Option<CharacterSet> {
        let key = (name, self.flags.fold_case, negated);
        if let Some(known) = self.named_sets.get(&key) {
            return Some(known.clone());
        }
        let set = self.adjusted(find(&key.0)?, negated);
        self.named_sets.insert(key, set.clone());
        Some(set)
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
        // The great sets are shared, so that one that is named many times is taken in once.
        let mut taken = HashSet::new();
        let mut spelt = Vec::new();
        let mut is_first = true;
        while is_first || !rest.starts_with(']') {
            is_first = false;
            if let Some((set, after)) = self.posix_class(rest)? {
                named.extend_from_slice(set.ranges());
                rest = after;
            } else if let Some((set, after)) = self.class_escape(rest)? {
                if taken.insert(set.ranges().as_ptr()) {
                    named.extend_from_slice(set.ranges());
                }
                rest = after;
            } else {
                let (range, after) = class_range(rest, start)?;
                spelt.push(range);
                rest = after;
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
                        self.push_kind(Kind::OpenGroup { number: None })?;
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

    /// Opens a group that captures.
    fn open_group(&mut self, name: Option<&str>) -> Result<(), Error> {
        let number = u32::try_from(self.names.len()).ok();
        self.names.push(name.unwrap_or_default().to_owned());
        self.push_kind(Kind::OpenGroup { number })
    }

    /// Closes a group.
    fn close_group(&mut self) -> Result<(), Error> {
        self.close_alternation()?;
        let unexpected = || Error::new(Code::UnexpectedParenthesis, self.pattern);
        let [.., group, inner] = self.stack[..] else {
            return Err(unexpected());
        };
        let Kind::OpenGroup { number } = *self.tree.kind(group) else {
            return Err(unexpected());
        };
        self.stack.truncate(self.stack.len() - 2);
        self.flags = self.tree.node(group).flags;
        let Some(number) = number else {
            return self.push(inner);
        };
        let node = self.tree.node_mut(group);
        node.kind = Kind::Capture(number);
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
        self.numbers += self.tree.kind(node).number_count();
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
        let spans = std::mem::take(&mut self.tree.node_mut(upper).spans);
        let joint = self.tree.node_mut(lower);
        joint.spans.extend(spans);
        if let Kind::Literal(joined) = &mut joint.kind {
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
        if self.numbers > MAXIMUM_NUMBERS {
            return Err(Error::new(Code::Large, self.pattern));
        }
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
