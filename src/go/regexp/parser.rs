//! Go's syntax, as `regexp.Compile` reads it: which patterns are good, what they mean, and what is said
//! about the others.
//!
//! Nothing here recurses over the pattern; trees are refused before they get deeper than [`MAX_HEIGHT`].

use super::class::{self, Class, Item};
use super::error::{Error, Reason};
use super::tree::{Count, Node, Tree};
use super::unicode;

const MAX_HEIGHT: usize = 1000;
/// Instructions in a compiled expression.
const MAX_SIZE: u64 = (128 << 20) / 40;
const MAX_REPEAT: u32 = 1000;

/// A good pattern.
#[derive(Debug)]
pub(super) struct Parsed {
    pub tree: Tree,
    pub group_names: Vec<String>,
}

/// Reads `pattern`.
pub(super) fn parse(pattern: &str) -> Result<Parsed, Error> {
    let mut parser = Parser::new(pattern);
    parser.run()?;
    parser.finish()
}

#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    fold_case: bool,
    multi_line: bool,
    dot_matches_newline: bool,
    swap_greed: bool,
}

/// A group that is open, or the whole pattern.
#[derive(Debug)]
struct Scope {
    captures: bool,
    /// What held where the group was opened, and holds again after it.
    flags: Flags,
    /// The alternatives before the current one.
    finished: Vec<Tree>,
    current: Vec<Tree>,
}

struct Parser<'p> {
    pattern: &'p str,
    rest: &'p str,
    flags: Flags,
    scopes: Vec<Scope>,
    group_names: Vec<String>,
    /// How many nodes there are, and the product of all counted repetitions: Go measures sizes only once the
    /// two together could exceed its limit.
    nodes: u64,
    repeats: u64,
    measures_size: bool,
}

impl<'p> Parser<'p> {
    fn new(pattern: &'p str) -> Self {
        Self {
            pattern,
            rest: pattern,
            flags: Flags::default(),
            scopes: vec![Scope::new(false, Flags::default())],
            group_names: Vec::new(),
            nodes: 0,
            repeats: 1,
            measures_size: false,
        }
    }

    fn run(&mut self) -> Result<(), Error> {
        let mut last_repetition = None;
        while let Some(first) = self.rest.bytes().next() {
            let here = self.rest;
            let repetition = self.leading_repetition()?;
            if let Some((count, after)) = repetition {
                self.rest = after;
                self.repeat(count, here, last_repetition)?;
                last_repetition = Some(here);
                continue;
            }
            last_repetition = None;
            self.item(first)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Parsed, Error> {
        let scope = match self.scopes.pop() {
            Some(scope) if self.scopes.is_empty() => scope,
            _ => return Err(Error::syntax(Reason::MissingParenthesis, self.pattern)),
        };
        let tree = self.close(scope)?;
        Ok(Parsed {
            tree,
            group_names: self.group_names,
        })
    }

    fn item(&mut self, first: u8) -> Result<(), Error> {
        match first {
            b'(' => self.open_group(),
            b')' => self.close_group(),
            b'|' => {
                self.rest = &self.rest[1..];
                self.next_alternative()
            }
            b'[' => self.bracketed_class(),
            b'\\' => self.escape(),
            b'^' if self.flags.multi_line => self.push_single(Node::LineStart, 1),
            b'^' => self.push_single(Node::TextStart, 1),
            b'$' if self.flags.multi_line => self.push_single(Node::LineEnd, 1),
            b'$' => self.push_single(Node::TextEnd, 1),
            b'.' if self.flags.dot_matches_newline => self.push_single(Node::AnyRune, 1),
            b'.' => self.push_single(Node::AnyRuneButNewline, 1),
            _ => match split_rune(self.rest) {
                Some((rune, after)) => {
                    self.rest = after;
                    self.literal(u32::from(rune))
                }
                None => Ok(()),
            },
        }
    }

    // Groups.

    fn open_group(&mut self) -> Result<(), Error> {
        if self.rest.starts_with("(?") {
            return self.open_extended_group();
        }
        self.rest = &self.rest[1..];
        self.open_capture("");
        Ok(())
    }

    fn open_capture(&mut self, name: &str) {
        self.group_names.push(name.to_owned());
        self.nodes += 1;
        self.scopes.push(Scope::new(true, self.flags));
    }

    fn open_extended_group(&mut self) -> Result<(), Error> {
        let here = self.rest;
        let name_start = if here.len() > 4 && here.starts_with("(?P<") {
            Some(4)
        } else if here.len() > 3 && here.starts_with("(?<") {
            Some(3)
        } else {
            None
        };
        if let Some(start) = name_start {
            return self.open_named_group(here, start);
        }
        self.set_flags(here)
    }

    fn open_named_group(&mut self, here: &'p str, start: usize) -> Result<(), Error> {
        let Some(end) = here.find('>') else {
            return Err(Error::syntax(Reason::NamedCapture, here));
        };
        let name = &here[start..end];
        if name.is_empty()
            || !name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            return Err(Error::syntax(Reason::NamedCapture, &here[..=end]));
        }
        self.rest = &here[end + 1..];
        self.open_capture(name);
        Ok(())
    }

    /// `(?flags)` or `(?flags:`.
    fn set_flags(&mut self, here: &'p str) -> Result<(), Error> {
        let mut flags = self.flags;
        let mut value = true;
        let mut named_one = false;
        let mut rest = &here[2..];
        while let Some((letter, after)) = split_rune(rest) {
            rest = after;
            let flag = match letter {
                'i' => &mut flags.fold_case,
                'm' => &mut flags.multi_line,
                's' => &mut flags.dot_matches_newline,
                'U' => &mut flags.swap_greed,
                '-' if value => {
                    value = false;
                    named_one = false;
                    continue;
                }
                ':' | ')' if value || named_one => {
                    if letter == ':' {
                        self.nodes += 1;
                        self.scopes.push(Scope::new(false, self.flags));
                    }
                    self.flags = flags;
                    self.rest = rest;
                    return Ok(());
                }
                _ => break,
            };
            *flag = value;
            named_one = true;
        }
        Err(Error::syntax(
            Reason::PerlSyntax,
            &here[..here.len() - rest.len()],
        ))
    }

    fn close_group(&mut self) -> Result<(), Error> {
        let scope = match self.scopes.pop() {
            Some(scope) if !self.scopes.is_empty() => scope,
            _ => return Err(Error::syntax(Reason::UnexpectedParenthesis, self.pattern)),
        };
        self.rest = &self.rest[1..];
        self.flags = scope.flags;
        let captures = scope.captures;
        let tree = self.close(scope)?;
        if captures {
            self.push(Tree::new(Node::Capture(Box::new(tree))))
        } else {
            self.push(tree)
        }
    }

    /// The tree of a scope that ends here.
    fn close(&mut self, mut scope: Scope) -> Result<Tree, Error> {
        let last = self.sequence(std::mem::take(&mut scope.current))?;
        if scope.finished.is_empty() {
            return Ok(last);
        }
        let mut branches = Vec::with_capacity(scope.finished.len() + 1);
        for branch in scope.finished.into_iter().chain([last]) {
            match branch.node {
                Node::Choice(inner) => branches.extend(inner),
                _ => branches.push(branch),
            }
        }
        let choice = Tree::new(Node::Choice(branches));
        self.check(&choice)?;
        Ok(choice)
    }

    fn next_alternative(&mut self) -> Result<(), Error> {
        let current = self
            .scopes
            .last_mut()
            .map(|scope| std::mem::take(&mut scope.current));
        let finished = self.sequence(current.unwrap_or_default())?;
        if let Some(scope) = self.scopes.last_mut() {
            scope.finished.push(finished);
        }
        Ok(())
    }

    fn sequence(&mut self, mut items: Vec<Tree>) -> Result<Tree, Error> {
        if items.len() == 1
            && let Some(only) = items.pop()
        {
            return Ok(only);
        }
        let mut joined: Vec<Tree> = Vec::with_capacity(items.len());
        for item in items {
            match item.node {
                Node::Sequence(inner) => joined.extend(inner),
                _ => joined.push(item),
            }
        }
        let node = if joined.is_empty() {
            Node::Empty
        } else {
            Node::Sequence(joined)
        };
        self.nodes += 1;
        let tree = Tree::new(node);
        self.check(&tree)?;
        Ok(tree)
    }

    // Repetitions.

    /// The repetition operator that the rest begins with, and what follows it. Braces that hold no counts are
    /// literal.
    fn leading_repetition(&self) -> Result<Option<(Count, &'p str)>, Error> {
        let here = self.rest;
        let count = match here.as_bytes()[0] {
            b'*' => Count::Star,
            b'+' => Count::Plus,
            b'?' => Count::Question,
            b'{' => return braces(here),
            _ => return Ok(None),
        };
        Ok(Some((count, &here[1..])))
    }

    fn repeat(&mut self, count: Count, here: &'p str, last: Option<&'p str>) -> Result<(), Error> {
        let mut greedy = !self.flags.swap_greed;
        if let Some(after) = self.rest.strip_prefix('?') {
            self.rest = after;
            greedy = !greedy;
        }
        let until_here = |from: &'p str| &from[..from.len() - self.rest.len()];
        if let Some(last) = last {
            return Err(Error::syntax(Reason::NestedRepetition, until_here(last)));
        }
        let operator = until_here(here);
        let Some(repeated) = self.scopes.last_mut().and_then(|scope| scope.current.pop()) else {
            return Err(Error::syntax(Reason::MissingArgument, operator));
        };
        self.count_repetition(count);
        let tree = Tree::new(Node::Repeat {
            repeated: Box::new(repeated),
            count,
            greedy,
        });
        self.check(&tree)?;
        if let Count::Braces { min, max } = count
            && (min >= 2 || max.is_some_and(|max| max >= 2))
            && !tree.repeats_at_most(MAX_REPEAT)
        {
            return Err(Error::syntax(Reason::RepeatCount, operator));
        }
        if let Some(scope) = self.scopes.last_mut() {
            scope.current.push(tree);
        }
        Ok(())
    }

    fn count_repetition(&mut self, count: Count) {
        self.nodes += 1;
        if let Count::Braces { min, max } = count {
            let copies = u64::from(max.unwrap_or(min).max(1));
            self.repeats = self.repeats.saturating_mul(copies).min(MAX_SIZE);
        }
    }

    // Single items.

    fn push_single(&mut self, node: Node, length: usize) -> Result<(), Error> {
        self.rest = &self.rest[length..];
        self.push(Tree::new(node))
    }

    fn literal(&mut self, rune: u32) -> Result<(), Error> {
        self.push(Tree::new(Node::Literal {
            runes: vec![rune],
            fold_case: self.flags.fold_case,
        }))
    }

    /// Adds a tree to the current sequence. What stood last can no longer be repeated, so a literal there
    /// joins the literal before it.
    fn push(&mut self, tree: Tree) -> Result<(), Error> {
        self.nodes += 1;
        self.check(&tree)?;
        if let Some(scope) = self.scopes.last_mut() {
            if join_last_literals(&mut scope.current) {
                self.nodes -= 1;
            }
            scope.current.push(tree);
        }
        Ok(())
    }

    fn check(&mut self, tree: &Tree) -> Result<(), Error> {
        self.measures_size |= self.nodes >= MAX_SIZE / self.repeats;
        if self.measures_size && tree.size > MAX_SIZE {
            return Err(Error::syntax(Reason::Large, self.pattern));
        }
        if tree.height > MAX_HEIGHT {
            return Err(Error::syntax(Reason::NestingDepth, self.pattern));
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Error> {
        let here = self.rest;
        match here.as_bytes().get(1).copied() {
            Some(b'A') => return self.push_single(Node::TextStart, 2),
            Some(b'z') => return self.push_single(Node::TextEnd, 2),
            Some(b'b') => return self.push_single(Node::WordBoundary, 2),
            Some(b'B') => return self.push_single(Node::NoWordBoundary, 2),
            Some(b'Q') => return self.quoted(&here[2..]),
            _ => {}
        }
        if let Some((item, after)) = class_escape(here)? {
            self.rest = after;
            return self.push(Tree::new(Node::Class(Class {
                items: vec![item],
                negated: false,
                fold_case: self.flags.fold_case,
            })));
        }
        let (rune, after) = single_escape(here)?;
        self.rest = after;
        self.literal(rune)
    }

    /// What follows `\Q`, up to `\E` or the end.
    fn quoted(&mut self, text: &'p str) -> Result<(), Error> {
        let (literal, after) = text.split_once("\\E").unwrap_or((text, ""));
        for rune in literal.chars() {
            self.literal(u32::from(rune))?;
        }
        self.rest = after;
        Ok(())
    }

    fn bracketed_class(&mut self) -> Result<(), Error> {
        let whole = self.rest;
        let negated = whole[1..].starts_with('^');
        let mut rest = &whole[1 + usize::from(negated)..];
        let mut items = Vec::new();
        while items.is_empty() || !rest.starts_with(']') {
            let (item, after) = class_item(rest, whole)?;
            items.push(item);
            rest = after;
        }
        self.rest = &rest[1..];
        self.push(Tree::new(class_node(Class {
            items,
            negated,
            fold_case: self.flags.fold_case,
        })))
    }
}

impl Scope {
    fn new(captures: bool, flags: Flags) -> Self {
        Self {
            captures,
            flags,
            finished: Vec::new(),
            current: Vec::new(),
        }
    }
}

/// A class of one code point is a literal.
fn class_node(class: Class) -> Node {
    match class.items.as_slice() {
        [Item::Range(first, last)] if first == last && !class.negated && !class.fold_case => {
            Node::Literal {
                runes: vec![*first],
                fold_case: false,
            }
        }
        _ => Node::Class(class),
    }
}

fn join_last_literals(items: &mut Vec<Tree>) -> bool {
    let [.., before, last] = items.as_mut_slice() else {
        return false;
    };
    let (
        Node::Literal { runes, fold_case },
        Node::Literal {
            runes: last_runes,
            fold_case: last_fold_case,
        },
    ) = (&mut before.node, &mut last.node)
    else {
        return false;
    };
    if fold_case != last_fold_case {
        return false;
    }
    runes.append(last_runes);
    before.size = runes.len() as u64;
    items.pop();
    true
}

fn split_rune(text: &str) -> Option<(char, &str)> {
    let rune = text.chars().next()?;
    Some((rune, &text[rune.len_utf8()..]))
}

/// `{min}`, `{min,}` or `{min,max}` at the beginning of `here`; `None` if it is anything else.
fn braces(here: &str) -> Result<Option<(Count, &str)>, Error> {
    let Some((min, rest)) = number(&here[1..]) else {
        return Ok(None);
    };
    let (max, rest) = match rest.strip_prefix(',') {
        None => (Some(min), rest),
        Some(rest) if rest.starts_with('}') => (None, rest),
        Some(rest) => match number(rest) {
            Some((max, rest)) => (Some(max), rest),
            None => return Ok(None),
        },
    };
    let Some(after) = rest.strip_prefix('}') else {
        return Ok(None);
    };
    if min > MAX_REPEAT || max.is_some_and(|max| max > MAX_REPEAT || min > max) {
        let operator = &here[..here.len() - after.len()];
        return Err(Error::syntax(Reason::RepeatCount, operator));
    }
    Ok(Some((Count::Braces { min, max }, after)))
}

/// A number without leading zeros; one that is too big for any use is the biggest.
fn number(text: &str) -> Option<(u32, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(length);
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    Some((digits.parse().unwrap_or(u32::MAX), rest))
}

/// One item of a bracketed class; `whole` begins with its bracket.
fn class_item<'p>(here: &'p str, whole: &str) -> Result<(Item, &'p str), Error> {
    if let Some(named) = here.strip_prefix("[:")
        && let Some((name, after)) = named.split_once(":]")
    {
        return match class::posix(name) {
            Some(item) => Ok((item, after)),
            None => Err(Error::syntax(
                Reason::CharacterRange,
                &here[..name.len() + 4],
            )),
        };
    }
    if let Some(found) = class_escape(here)? {
        return Ok(found);
    }
    let (first, rest) = class_rune(here, whole)?;
    let Some(upper) = rest
        .strip_prefix('-')
        .filter(|upper| !upper.is_empty() && !upper.starts_with(']'))
    else {
        return Ok((Item::Range(first, first), rest));
    };
    let (last, after) = class_rune(upper, whole)?;
    if last < first {
        let range = &here[..here.len() - after.len()];
        return Err(Error::syntax(Reason::CharacterRange, range));
    }
    Ok((Item::Range(first, last), after))
}

fn class_rune<'p>(here: &'p str, whole: &str) -> Result<(u32, &'p str), Error> {
    if here.starts_with('\\') {
        return single_escape(here);
    }
    match split_rune(here) {
        Some((rune, after)) => Ok((u32::from(rune), after)),
        None => Err(Error::syntax(Reason::MissingBracket, whole)),
    }
}

/// An escape that stands for a set: `\d`, `\pL`, `\p{Greek}` and their like.
fn class_escape(here: &str) -> Result<Option<(Item, &str)>, Error> {
    let &[b'\\', letter, ..] = here.as_bytes() else {
        return Ok(None);
    };
    if letter == b'p' || letter == b'P' {
        return unicode_escape(here, letter == b'P').map(Some);
    }
    Ok(class::perl(letter).map(|item| (item, &here[2..])))
}

fn unicode_escape(here: &str, negated: bool) -> Result<(Item, &str), Error> {
    let named = &here[2..];
    let (sequence, name) = if named.starts_with('{') {
        match here.find('}') {
            Some(end) => (&here[..=end], &here[3..end]),
            None => return Err(Error::syntax(Reason::CharacterRange, here)),
        }
    } else {
        let length = named.chars().next().map_or(0, char::len_utf8);
        (&here[..2 + length], &named[..length])
    };
    let bare = name.strip_prefix('^').unwrap_or(name);
    match unicode::lookup(bare) {
        Some(class) => {
            let negated = negated != (bare.len() != name.len());
            Ok((Item::Unicode { class, negated }, &here[sequence.len()..]))
        }
        None => Err(Error::syntax(Reason::CharacterRange, sequence)),
    }
}

/// An escape that stands for one code point; `here` begins with the backslash.
fn single_escape(here: &str) -> Result<(u32, &str), Error> {
    let Some((letter, rest)) = split_rune(&here[1..]) else {
        return Err(Error::syntax(Reason::TrailingBackslash, ""));
    };
    let refused = |rest: &str| Error::syntax(Reason::Escape, &here[..here.len() - rest.len()]);
    let control = match letter {
        '0' => return Ok(octal(&here[1..])),
        '1'..='7' if rest.starts_with(|next| ('0'..='7').contains(&next)) => {
            return Ok(octal(&here[1..]));
        }
        'x' => return hexadecimal(rest).map_err(refused),
        'a' => 0x07,
        'f' => 0x0c,
        'n' => 0x0a,
        'r' => 0x0d,
        't' => 0x09,
        'v' => 0x0b,
        _ if letter.is_ascii() && !letter.is_ascii_alphanumeric() => u32::from(letter),
        _ => return Err(refused(rest)),
    };
    Ok((control, rest))
}

/// Up to three octal digits.
fn octal(digits: &str) -> (u32, &str) {
    let length = digits
        .bytes()
        .take(3)
        .take_while(|digit| (b'0'..=b'7').contains(digit))
        .count();
    let value = digits
        .bytes()
        .take(length)
        .fold(0, |value, digit| value * 8 + u32::from(digit - b'0'));
    (value, &digits[length..])
}

/// What follows `\x`: two digits, or any number of them in braces. The error is the text from where Go stops.
fn hexadecimal(text: &str) -> Result<(u32, &str), &str> {
    let Some((first, mut rest)) = split_rune(text) else {
        return Err(text);
    };
    if first != '{' {
        let (second, after) =
            split_rune(rest).map_or((None, rest), |(rune, after)| (Some(rune), after));
        let digits = (
            first.to_digit(16),
            second.and_then(|rune| rune.to_digit(16)),
        );
        return match digits {
            (Some(high), Some(low)) => Ok((high * 16 + low, after)),
            _ => Err(after),
        };
    }
    let mut value = 0;
    let mut has_digits = false;
    while let Some((rune, after)) = split_rune(rest) {
        rest = after;
        match rune.to_digit(16) {
            Some(digit) => {
                value = value * 16 + digit;
                if value > u32::from(char::MAX) {
                    return Err(rest);
                }
                has_digits = true;
            }
            None if rune == '}' && has_digits => return Ok((value, rest)),
            None => return Err(rest),
        }
    }
    Err(rest)
}
