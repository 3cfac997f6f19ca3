//! Unified diffs that `git apply` accepts: lines end at LF only, paths are quoted as git quotes them.

use std::convert::Infallible;
use std::fmt::{self, Write as _};
use std::ops::{Index, Range};

use similar::Algorithm;
use similar::algorithms::{self, Compact, DiffHook, Replace};

/// One file before and after.
#[derive(Clone, Copy, Debug)]
pub struct FilePair<'a> {
    /// The path relative to the repository's top.
    pub path: &'a str,
    /// The bytes before; `None` for a new file.
    pub old: Option<&'a [u8]>,
    /// The bytes after.
    pub new: &'a [u8],
}

/// One line of a unified diff, with what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffLine {
    /// What it is.
    pub kind: LineKind,
    /// The bytes, without the final LF.
    pub text: Vec<u8>,
    /// The part of `text` that differs from its counterpart, for emphasis.
    pub emphasis: Option<Range<usize>>,
}

/// What a line of a unified diff is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// `diff --git`, `new file mode`, `---`, `+++`.
    Header,
    /// `@@ … @@`.
    Hunk,
    /// A line that stays.
    Context,
    /// A line that goes.
    Removed,
    /// A line that comes.
    Added,
    /// `\ No newline at end of file`.
    NoNewline,
}

/// The lines of one file's diff with `context` unchanged lines around each change; empty when nothing differs.
pub fn lines(pair: FilePair<'_>, context: usize) -> Vec<DiffLine> {
    let mut lines = Vec::new();
    each_line(pair, context, &mut |kind, sign, body, counterpart| {
        let emphasis = counterpart.and_then(|other| differing_part(body, other));
        lines.push(DiffLine {
            kind,
            text: sign.iter().chain(body).copied().collect(),
            emphasis: emphasis.map(|part| part.start + 1..part.end + 1),
        });
    });
    lines
}

/// The diff of one file as text, made while it is written: it takes no room of its own. Bytes that aren't UTF-8 are replaced.
#[derive(Clone, Copy, Debug)]
pub struct Patch<'a> {
    /// The file.
    pub pair: FilePair<'a>,
    /// So many unchanged lines stand around each change.
    pub context: usize,
}

impl fmt::Display for Patch<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = Ok(());
        each_line(self.pair, self.context, &mut |_, sign, body, _| {
            if written.is_ok() {
                written = write_lossy(formatter, sign)
                    .and_then(|()| write_lossy(formatter, body))
                    .and_then(|()| formatter.write_str("\n"));
            }
        });
        written
    }
}

fn write_lossy(formatter: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    for piece in bytes.utf8_chunks() {
        formatter.write_str(piece.valid())?;
        if !piece.invalid().is_empty() {
            formatter.write_char(char::REPLACEMENT_CHARACTER)?;
        }
    }
    Ok(())
}

/// The diff of one file as bytes.
pub fn patch(pair: FilePair<'_>, context: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    each_line(pair, context, &mut |_, sign, body, _| {
        bytes.extend_from_slice(sign);
        bytes.extend_from_slice(body);
        bytes.push(b'\n');
    });
    bytes
}

/// Lines added and removed by one file's diff.
pub fn counts(pair: FilePair<'_>) -> (usize, usize) {
    let (mut added, mut removed) = (0, 0);
    each_line(pair, 0, &mut |kind, _, _, _| match kind {
        LineKind::Added => added += 1,
        LineKind::Removed => removed += 1,
        _ => {}
    });
    (added, removed)
}

/// Takes a line: what it is, its sign, its text, and the line that it takes the place of or that takes its place.
type Take<'t> = dyn FnMut(LineKind, &[u8], &[u8], Option<&[u8]>) + 't;

fn each_line(pair: FilePair<'_>, context: usize, take: &mut Take<'_>) {
    if pair.old.is_some_and(|old| old == pair.new) {
        return;
    }
    let old = Lines::of(pair.old.unwrap_or_default());
    let new = Lines::of(pair.new);
    let steps = steps(&old, &new);
    for text in header(&pair) {
        take(LineKind::Header, b"", text.as_bytes(), None);
    }
    each_hunk(&steps, context, &mut |hunk| {
        take_hunk(take, hunk, &old, &new)
    });
}

/// So many lines that stay, or that are replaced by so many others.
#[derive(Clone, Copy, Debug)]
enum Step {
    Equal(u32),
    Changed(u32, u32),
}

/// The lines of a text, each with its line end.
struct Lines<'t> {
    text: &'t [u8],
    ends: Vec<u32>,
}

impl<'t> Lines<'t> {
    fn of(text: &'t [u8]) -> Self {
        let mut ends = Vec::with_capacity(memchr::memchr_iter(b'\n', text).count() + 1);
        ends.extend(memchr::memchr_iter(b'\n', text).map(|at| at as u32 + 1));
        if !text.is_empty() && !text.ends_with(b"\n") {
            ends.push(text.len() as u32);
        }
        Self { text, ends }
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn line(&self, at: usize) -> &'t [u8] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start as usize..self.ends[at] as usize]
    }

    fn range(&self, range: Range<usize>) -> impl Iterator<Item = &'t [u8]> + use<'_, 't> {
        range.map(|at| self.line(at))
    }
}

impl Index<usize> for Lines<'_> {
    type Output = [u8];

    fn index(&self, at: usize) -> &[u8] {
        self.line(at)
    }
}

/// Longer texts are compared piece by piece: what is kept of all their lines at once is several times their size.
const WINDOW: usize = 1 << 14;

/// From one row of lines to the other.
fn steps(old: &Lines<'_>, new: &Lines<'_>) -> Vec<Step> {
    let mut steps = Steps::default();
    let (mut from, mut to) = (0, 0);
    while old.len() - from > 2 * WINDOW && new.len() - to > 2 * WINDOW {
        let (old_end, new_end) = (from + WINDOW, to + WINDOW);
        let window = compared(old, from..old_end, new, to..new_end);
        // What is behind the most lines that stay may find others to stay with when more is seen.
        let Some(end) = place_to_cut(&window) else {
            break;
        };
        for step in &window[..=end] {
            let (removed, added) = step.lengths();
            from += removed;
            to += added;
            steps.push(*step);
        }
    }
    for step in compared(old, from..old.len(), new, to..new.len()) {
        steps.push(step);
    }
    steps.0
}

/// The longest step of lines that stay in the second half of a window.
fn place_to_cut(window: &[Step]) -> Option<usize> {
    let mut longest: Option<(usize, u32)> = None;
    let mut at = 0;
    for (index, step) in window.iter().enumerate() {
        if let Step::Equal(count) = *step
            && at + count as usize >= WINDOW / 2
            && longest.is_none_or(|(_, most)| count > most)
        {
            longest = Some((index, count));
        }
        at += step.lengths().0;
    }
    longest.map(|(index, _)| index)
}

fn compared(old: &Lines<'_>, from: Range<usize>, new: &Lines<'_>, to: Range<usize>) -> Vec<Step> {
    let mut hook = Compact::new(Replace::new(Steps::default()), old, new);
    match algorithms::diff(Algorithm::Myers, &mut hook, old, from, new, to) {
        Ok(()) => hook.into_inner().into_inner().0,
        Err(never) => match never {},
    }
}

impl Step {
    /// So many lines of the old and of the new text.
    fn lengths(self) -> (usize, usize) {
        match self {
            Self::Equal(count) => (count as usize, count as usize),
            Self::Changed(removed, added) => (removed as usize, added as usize),
        }
    }
}

#[derive(Default)]
struct Steps(Vec<Step>);

impl Steps {
    /// Adds a step, or lengthens the last where it is of the same kind.
    fn push(&mut self, step: Step) {
        match (self.0.last_mut(), step) {
            (Some(Step::Equal(last)), Step::Equal(count)) => *last += count,
            (Some(Step::Changed(removed, added)), Step::Changed(more_removed, more_added)) => {
                *removed += more_removed;
                *added += more_added;
            }
            (_, step) => self.0.push(step),
        }
    }
}

impl DiffHook for Steps {
    type Error = Infallible;

    fn equal(&mut self, _: usize, _: usize, count: usize) -> Result<(), Infallible> {
        self.0.push(Step::Equal(count as u32));
        Ok(())
    }

    fn delete(&mut self, _: usize, count: usize, _: usize) -> Result<(), Infallible> {
        self.0.push(Step::Changed(count as u32, 0));
        Ok(())
    }

    fn insert(&mut self, _: usize, _: usize, count: usize) -> Result<(), Infallible> {
        self.0.push(Step::Changed(0, count as u32));
        Ok(())
    }

    fn replace(
        &mut self,
        _: usize,
        removed: usize,
        _: usize,
        added: usize,
    ) -> Result<(), Infallible> {
        self.0.push(Step::Changed(removed as u32, added as u32));
        Ok(())
    }
}

/// Some steps with the lines around them.
struct Hunk<'s> {
    /// The first line of each side, from 0.
    start: (usize, usize),
    /// The line behind the last of each side.
    end: (usize, usize),
    /// So many lines that stay are shown before the first step.
    lead: usize,
    steps: &'s [Step],
}

/// Cuts the steps where more than twice `context` lines stay.
fn each_hunk(steps: &[Step], context: usize, take: &mut dyn FnMut(Hunk<'_>)) {
    let mut at = (0, 0);
    let mut first = 0;
    let (mut start, mut lead) = ((0, 0), 0);
    for (index, step) in steps.iter().enumerate() {
        let is_last = index + 1 == steps.len();
        match *step {
            Step::Equal(count) => {
                let count = count as usize;
                let shown = count.min(context);
                let is_cut = index > 0 && (is_last || count > 2 * context);
                if is_cut {
                    take(Hunk {
                        start,
                        end: (at.0 + shown, at.1 + shown),
                        lead,
                        steps: &steps[first..index],
                    });
                }
                at = (at.0 + count, at.1 + count);
                if is_cut || index == 0 {
                    first = index + 1;
                    start = (at.0 - shown, at.1 - shown);
                    lead = shown;
                }
            }
            Step::Changed(removed, added) => {
                at = (at.0 + removed as usize, at.1 + added as usize);
                if is_last {
                    take(Hunk {
                        start,
                        end: at,
                        lead,
                        steps: &steps[first..],
                    });
                }
            }
        }
    }
}

fn header(pair: &FilePair<'_>) -> Vec<String> {
    let (old, new) = (
        quoted(&format!("a/{}", pair.path)),
        quoted(&format!("b/{}", pair.path)),
    );
    match pair.old {
        Some(_) => vec![
            format!("--- {}", ended(&old)),
            format!("+++ {}", ended(&new)),
        ],
        None => {
            let git = format!("diff --git {old} {new}");
            vec![
                git,
                "new file mode 100644".into(),
                "--- /dev/null".into(),
                format!("+++ {}", ended(&new)),
            ]
        }
    }
}

/// A name with a blank ends with a tab, so that a reader doesn't take the rest for a date.
fn ended(name: &str) -> String {
    if name.contains(' ') && !name.starts_with('"') {
        format!("{name}\t")
    } else {
        name.to_owned()
    }
}

/// Git's C-style quoting, used only where a byte needs it.
pub fn quoted(path: &str) -> String {
    let needs =
        |byte: u8| byte < 0x20 || byte == 0x7f || byte == b'"' || byte == b'\\' || byte >= 0x80;
    if !path.bytes().any(needs) {
        return path.to_owned();
    }
    let mut text = String::from("\"");
    for byte in path.bytes() {
        match byte {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            b'\r' => text.push_str("\\r"),
            0x07 => text.push_str("\\a"),
            0x08 => text.push_str("\\b"),
            0x0b => text.push_str("\\v"),
            0x0c => text.push_str("\\f"),
            byte if needs(byte) => text.push_str(&format!("\\{byte:03o}")),
            byte => text.push(char::from(byte)),
        }
    }
    text.push('"');
    text
}

fn take_hunk(take: &mut Take<'_>, hunk: Hunk<'_>, old: &Lines<'_>, new: &Lines<'_>) {
    let old_range = range(hunk.start.0, hunk.end.0);
    let new_range = range(hunk.start.1, hunk.end.1);
    let text = format!("@@ -{old_range} +{new_range} @@");
    take(LineKind::Hunk, b"", text.as_bytes(), None);
    let mut at = (hunk.start.0 + hunk.lead, hunk.start.1 + hunk.lead);
    take_context(take, old.range(hunk.start.0..at.0));
    for step in hunk.steps {
        let (removed, added) = match *step {
            Step::Equal(count) => {
                let end = at.0 + count as usize;
                take_context(take, old.range(at.0..end));
                at = (end, at.1 + count as usize);
                continue;
            }
            Step::Changed(removed, added) => (removed as usize, added as usize),
        };
        let paired = removed == added;
        for index in 0..removed {
            let other = paired.then(|| new.line(at.1 + index));
            take_line(take, LineKind::Removed, b"-", old.line(at.0 + index), other);
        }
        for index in 0..added {
            let other = paired.then(|| old.line(at.0 + index));
            take_line(take, LineKind::Added, b"+", new.line(at.1 + index), other);
        }
        at = (at.0 + removed, at.1 + added);
    }
    take_context(take, old.range(at.0..hunk.end.0));
}

fn take_context<'l>(take: &mut Take<'_>, lines: impl Iterator<Item = &'l [u8]>) {
    for line in lines {
        take_line(take, LineKind::Context, b" ", line, None);
    }
}

/// `start,count` as diff prints it: from 1, the count left out when it is 1, and the line before an empty range.
fn range(start: usize, end: usize) -> String {
    match end - start {
        0 => format!("{start},0"),
        1 => (start + 1).to_string(),
        count => format!("{},{count}", start + 1),
    }
}

fn take_line(
    take: &mut Take<'_>,
    kind: LineKind,
    sign: &[u8],
    line: &[u8],
    counterpart: Option<&[u8]>,
) {
    let bare = |line| <[u8]>::strip_suffix(line, b"\n").unwrap_or(line);
    take(kind, sign, bare(line), counterpart.map(bare));
    if !line.ends_with(b"\n") {
        let text = b"\\ No newline at end of file";
        take(LineKind::NoNewline, b"", text, None);
    }
}

/// What is left of `line` without the prefix and suffix that it shares with `other`, at character boundaries.
fn differing_part(line: &[u8], other: &[u8]) -> Option<Range<usize>> {
    let (text, other) = (
        std::str::from_utf8(line).ok()?,
        std::str::from_utf8(other).ok()?,
    );
    let shared = |left: char, right: char| {
        if left == right {
            Some(left.len_utf8())
        } else {
            None
        }
    };
    let prefix: usize = text
        .chars()
        .zip(other.chars())
        .map_while(|(left, right)| shared(left, right))
        .sum();
    let (rest, other_rest) = (&text[prefix..], &other[prefix..]);
    let suffix: usize = rest
        .chars()
        .rev()
        .zip(other_rest.chars().rev())
        .map_while(|(left, right)| shared(left, right))
        .sum();
    let part = prefix..text.len() - suffix;
    (prefix + suffix > 0 && !part.is_empty()).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(old: Option<&str>, new: &str, path: &str) -> String {
        let pair = FilePair {
            path,
            old: old.map(str::as_bytes),
            new: new.as_bytes(),
        };
        String::from_utf8(patch(pair, 3)).unwrap()
    }

    #[test]
    fn a_changed_line_keeps_three_lines_of_context() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        assert_eq!(
            text(Some(old), &old.replace('5', "five"), "a.yaml"),
            "--- a/a.yaml\n+++ b/a.yaml\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"
        );
    }

    #[test]
    fn a_missing_final_newline_is_said() {
        assert_eq!(
            text(Some("a: 1"), "a: 2\n", "a.yaml"),
            "--- a/a.yaml\n+++ b/a.yaml\n@@ -1 +1 @@\n-a: 1\n\\ No newline at end of file\n+a: 2\n"
        );
    }

    #[test]
    fn a_new_file_has_a_mode() {
        assert_eq!(
            text(None, "a: 1\n", "n.yaml"),
            "diff --git a/n.yaml b/n.yaml\nnew file mode 100644\n--- /dev/null\n+++ b/n.yaml\n@@ -0,0 +1 @@\n+a: 1\n"
        );
    }

    #[test]
    fn a_carriage_return_is_no_line_end() {
        assert!(
            text(Some("a: 1\r\nb: 2\r\n"), "a: 1\nb: 2\n", "a.yaml")
                .contains("-a: 1\r\n-b: 2\r\n+a: 1\n")
        );
    }

    #[test]
    fn names_are_quoted_as_git_does() {
        assert_eq!(quoted("a/plain name"), "a/plain name");
        assert_eq!(quoted("a/\u{e9}\"\t"), "\"a/\\303\\251\\\"\\t\"");
        assert!(
            text(Some("a\n"), "b\n", "my file.yaml")
                .starts_with("--- a/my file.yaml\t\n+++ b/my file.yaml\t\n")
        );
    }

    #[test]
    fn equal_bytes_give_nothing() {
        assert_eq!(text(Some("a\n"), "a\n", "a.yaml"), "");
    }

    #[test]
    fn hunks_are_those_of_the_library() {
        let mut seed = 7_u32;
        let mut below = |bound: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) % bound
        };
        for _ in 0..2000 {
            let lines = |count: u32, below: &mut dyn FnMut(u32) -> u32| -> Vec<String> {
                (0..count).map(|_| format!("{}\n", below(4))).collect()
            };
            let old = lines(below(12), &mut below);
            let mut new = old.clone();
            for _ in 0..below(4) {
                let at = below(new.len() as u32 + 1) as usize;
                match below(3) {
                    0 => new.insert(at, format!("{}\n", below(4))),
                    1 if at < new.len() => drop(new.remove(at)),
                    _ => new.extend(lines(below(9), &mut below)),
                }
            }
            let (old, new) = (old.concat(), new.concat());
            let pair = FilePair {
                path: "a",
                old: Some(old.as_bytes()),
                new: new.as_bytes(),
            };
            for context in 0..4 {
                let mut expected = String::new();
                if old != new {
                    expected += "--- a/a\n+++ b/a\n";
                    let diff = similar::TextDiff::from_lines(old.as_str(), new.as_str());
                    let hunks = diff.unified_diff().context_radius(context).to_string();
                    expected += &hunks;
                }
                let patch = Patch { pair, context };
                assert_eq!(patch.to_string(), expected, "{old:?} {new:?} {context}");
            }
        }
    }

    #[test]
    fn long_texts_are_compared_piece_by_piece() {
        // One line of three is changed, and one of 100 is gone: both sides move against one another.
        let lines = 8 * WINDOW;
        let old: String = (0..lines).map(|number| format!("{number}\n")).collect();
        let new: String = (0..lines)
            .filter(|number| number % 100 != 7)
            .map(|number| match number % 3 {
                0 => format!("{number} x\n"),
                _ => format!("{number}\n"),
            })
            .collect();
        let pair = FilePair {
            path: "a",
            old: Some(old.as_bytes()),
            new: new.as_bytes(),
        };
        let gone = (0..lines).filter(|number| number % 100 == 7);
        let changed = (0..lines).filter(|number| number % 3 == 0 && number % 100 != 7);
        let (gone, changed) = (gone.count(), changed.count());
        assert_eq!(counts(pair), (changed, changed + gone));
        // Where nothing stays, the rest is compared as a whole.
        let other = "x\n".repeat(3 * WINDOW);
        let pair = FilePair {
            old: Some(other.as_bytes()),
            ..pair
        };
        assert_eq!(counts(pair), (lines - lines.div_ceil(100), 3 * WINDOW));
    }

    #[test]
    fn the_changed_part_is_marked() {
        let pair = FilePair {
            path: "a",
            old: Some(b"image: r/a:1.2.3 # m\n"),
            new: b"image: r/a:1.4.0 # m\n",
        };
        let added = lines(pair, 3)
            .into_iter()
            .find(|line| line.kind == LineKind::Added)
            .unwrap();
        assert_eq!(&added.text[added.emphasis.unwrap()], b"4.0");
    }
}
