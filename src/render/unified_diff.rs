//! Unified diffs that `git apply` accepts: lines end at LF only, paths are quoted as git quotes them.

use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices, group_diff_ops};

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
    pub emphasis: Option<std::ops::Range<usize>>,
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
    let (old, new) = (split(pair.old.unwrap_or_default()), split(pair.new));
    let operations = capture_diff_slices(Algorithm::Myers, &old, &new);
    for text in header(&pair) {
        take(LineKind::Header, b"", text.as_bytes(), None);
    }
    for group in group_diff_ops(operations, context) {
        take_hunk(take, &group, &old, &new);
    }
}

fn split(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').collect()
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

fn take_hunk(take: &mut Take<'_>, group: &[DiffOp], old: &[&[u8]], new: &[&[u8]]) {
    let (Some(first), Some(last)) = (group.first(), group.last()) else {
        return;
    };
    let old_range = range(first.old_range().start, last.old_range().end);
    let new_range = range(first.new_range().start, last.new_range().end);
    let text = format!("@@ -{old_range} +{new_range} @@");
    take(LineKind::Hunk, b"", text.as_bytes(), None);
    for operation in group {
        let (removed, added) = (&old[operation.old_range()], &new[operation.new_range()]);
        if operation.tag() == DiffTag::Equal {
            for line in removed {
                take_line(take, LineKind::Context, b" ", line, None);
            }
            continue;
        }
        let paired = removed.len() == added.len();
        for (index, line) in removed.iter().enumerate() {
            let other = paired.then(|| added[index]);
            take_line(take, LineKind::Removed, b"-", line, other);
        }
        for (index, line) in added.iter().enumerate() {
            let other = paired.then(|| removed[index]);
            take_line(take, LineKind::Added, b"+", line, other);
        }
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
fn differing_part(line: &[u8], other: &[u8]) -> Option<std::ops::Range<usize>> {
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
