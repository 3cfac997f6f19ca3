//! Go's templates for a match: `$1`, `${1}`, `$name`, `${name}` and `$$`.

use std::borrow::Cow;
use std::ops::Range;

use super::class::is_letter_or_digit;

/// From this on, a number in a template is taken for a name.
const GREATEST_GROUP: usize = 100_000_000;

/// A template, read for the groups of one pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template<'t> {
    source: &'t str,
    pieces: Vec<Piece>,
    groups: Vec<usize>,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// This part of the template stands for itself.
    Text(Range<usize>),
    /// Stands for a group.
    Group {
        /// Where it is written, `$` and braces included.
        span: Range<usize>,
        /// The groups that answer to it: the first that took part in the match counts. Where there is none, nothing
        /// stands for it.
        numbers: Vec<usize>,
    },
}

impl<'t> Template<'t> {
    /// Reads a template; `names` are the groups' names by number.
    pub(super) fn new(source: &'t str, names: &[String]) -> Self {
        let mut template = Self {
            source,
            pieces: Vec::new(),
            groups: Vec::new(),
        };
        template.read(names);
        for piece in &template.pieces {
            if let Piece::Group { numbers, .. } = piece {
                template.groups.extend(numbers);
            }
        }
        template.groups.sort_unstable();
        template.groups.dedup();
        template
    }

    /// What is neither `$$` nor a name after a `$` stays.
    fn read(&mut self, names: &[String]) {
        let source = self.source;
        let mut place = 0;
        while let Some(dollar) = source[place..].find('$') {
            let dollar = place + dollar;
            self.push_text(place..dollar);
            let after = &source[dollar + 1..];
            place = if after.starts_with('$') {
                self.push_text(dollar + 1..dollar + 2);
                dollar + 2
            } else if let Some((name, rest)) = leading_name(after) {
                let end = source.len() - rest.len();
                self.pieces.push(Piece::Group {
                    span: dollar..end,
                    numbers: groups_called(name, names),
                });
                end
            } else {
                self.push_text(dollar..dollar + 1);
                dollar + 1
            };
        }
        self.push_text(place..source.len());
    }

    fn push_text(&mut self, part: Range<usize>) {
        if part.is_empty() {
            return;
        }
        match self.pieces.last_mut() {
            Some(Piece::Text(last)) if last.end == part.start => last.end = part.end,
            _ => self.pieces.push(Piece::Text(part)),
        }
    }

    /// The parts, in their order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The groups that it needs, each once.
    pub fn groups(&self) -> &[usize] {
        &self.groups
    }

    /// Puts in the groups of a match in `text`; `group` tells where each of them is.
    pub fn expand<'s>(
        &self,
        text: &'s str,
        group: impl Fn(usize) -> Option<(usize, usize)>,
    ) -> Cow<'s, str> {
        let of = |numbers: &[usize]| {
            let found = numbers.iter().find_map(|&number| group(number));
            found.map_or("", |(start, end)| &text[start..end])
        };
        match &self.pieces[..] {
            [] => Cow::Borrowed(""),
            [Piece::Group { numbers, .. }] => Cow::Borrowed(of(numbers)),
            pieces => {
                let mut expanded = String::new();
                for piece in pieces {
                    expanded.push_str(match piece {
                        Piece::Text(part) => &self.source[part.clone()],
                        Piece::Group { numbers, .. } => of(numbers),
                    });
                }
                Cow::Owned(expanded)
            }
        }
    }
}

fn groups_called(name: &str, names: &[String]) -> Vec<usize> {
    match group_number(name) {
        Some(number) if number < names.len() => vec![number],
        Some(_) => Vec::new(),
        None => (0..names.len())
            .filter(|number| names[*number] == name)
            .collect(),
    }
}

/// The name after a `$` and what follows it; the longest one, unless it is in braces.
fn leading_name(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('{');
    let text = inner.unwrap_or(text);
    let end = text
        .find(|character| character != '_' && !is_letter_or_digit(character))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return None;
    }
    match inner {
        Some(_) => rest.strip_prefix('}').map(|rest| (name, rest)),
        None => Some((name, rest)),
    }
}

/// The number that a name is, which has no leading zero.
fn group_number(name: &str) -> Option<usize> {
    if name.len() > 1 && name.starts_with('0') {
        return None;
    }
    name.bytes().try_fold(0_usize, |number, byte| {
        (byte.is_ascii_digit() && number < GREATEST_GROUP)
            .then(|| number * 10 + usize::from(byte - b'0'))
    })
}
