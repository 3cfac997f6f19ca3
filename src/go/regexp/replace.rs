//! All matches, replacements and splits, by Go's rules on empty matches.

use super::{Regexp, expand::expand};

impl Regexp {
    /// The successive matches in `text`, at most `limit` of them, as Go's `FindAllStringIndex` gives them: an
    /// empty match right after another match does not count.
    pub fn find_all(&self, text: &str, limit: Option<usize>) -> Vec<(usize, usize)> {
        let mut matches = Vec::new();
        let mut position = 0;
        let mut previous_end = None;
        while position <= text.len() && limit.is_none_or(|limit| matches.len() < limit) {
            let Some(found) = self.regex.find_at(text, position) else {
                break;
            };
            let counts = found.end() != position || previous_end != Some(found.start());
            position = if found.end() == position {
                position + width_at(text, position)
            } else {
                found.end()
            };
            previous_end = Some(found.end());
            if counts {
                matches.push((found.start(), found.end()));
            }
        }
        matches
    }

    /// `text` with every match replaced by the expansion of `template`, as Go's `ReplaceAllString`.
    pub fn replace_all(&self, text: &str, template: &str) -> String {
        let mut found = self.regex.capture_locations();
        let mut replaced = String::new();
        let (mut position, mut copied) = (0, 0);
        while position <= text.len() {
            let Some(whole) = self.regex.captures_read_at(&mut found, text, position) else {
                break;
            };
            replaced.push_str(&text[copied..whole.start()]);
            if whole.end() > copied || whole.start() == 0 {
                replaced.push_str(&expand(template, &self.names, |group| {
                    found.get(group).map(|(start, end)| &text[start..end])
                }));
            }
            copied = whole.end();
            position = (position + width_at(text, position)).max(copied);
        }
        replaced.push_str(&text[copied..]);
        replaced
    }

    /// `text` with every match replaced by `replacement` as it stands, as Go's `ReplaceAllLiteralString`.
    pub fn replace_all_literal(&self, text: &str, replacement: &str) -> String {
        self.replace_all(text, &replacement.replace('$', "$$"))
    }

    /// The parts of `text` between the matches, at most `limit` of them, as Go's `Split`. A limit of 0 gives
    /// none.
    pub fn split<'t>(&self, text: &'t str, limit: Option<usize>) -> Vec<&'t str> {
        if limit == Some(0) {
            return Vec::new();
        }
        if !self.source.is_empty() && text.is_empty() {
            return vec![""];
        }
        let mut parts = Vec::new();
        let (mut begin, mut end) = (0, 0);
        for (start, stop) in self.find_all(text, limit) {
            if limit.is_some_and(|limit| parts.len() + 1 >= limit) {
                break;
            }
            end = start;
            if stop != 0 {
                parts.push(&text[begin..end]);
            }
            begin = stop;
        }
        if end != text.len() {
            parts.push(&text[begin..]);
        }
        parts
    }
}

/// `text` with a backslash before every character that means something in a pattern.
pub fn quote_meta(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for letter in text.chars() {
        if r"\.+*?()|[]{}^$".contains(letter) {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted
}

/// The width of the character at `position`; one past the end counts as one wide.
fn width_at(text: &str, position: usize) -> usize {
    text[position..].chars().next().map_or(1, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regexp(pattern: &str) -> Regexp {
        Regexp::compile(pattern).expect("valid pattern")
    }

    #[test]
    fn empty_matches_right_after_a_match_do_not_count() {
        assert_eq!(
            regexp("a*").find_all("baaac", None),
            [(0, 0), (1, 4), (5, 5)]
        );
        assert_eq!(regexp("a*").find_all("baaac", Some(2)), [(0, 0), (1, 4)]);
        assert_eq!(regexp("a*").replace_all("baaac", "<$0>"), "<>b<aaa>c<>");
        assert_eq!(regexp("").replace_all("\u{e9}a", "-"), "-\u{e9}-a-");
        assert_eq!(regexp("a").replace_all_literal("bab", "$0"), "b$0b");
    }

    #[test]
    fn splits_as_go_does() {
        assert_eq!(regexp("a").split("banana", None), ["b", "n", "n", ""]);
        assert_eq!(regexp("a").split("banana", Some(2)), ["b", "nana"]);
        assert_eq!(regexp("x*").split("axb", None), ["a", "b"]);
        assert_eq!(regexp(",").split("", None), [""]);
        assert!(regexp(",").split("a,b", Some(0)).is_empty());
    }
}
