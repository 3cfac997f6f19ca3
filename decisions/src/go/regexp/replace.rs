//! All matches, replacements and splits, by Go's rules on empty matches.

use super::{Error, Regexp};

impl Regexp {
    /// The successive matches in `text`, at most `limit` of them, as Go's `FindAllStringIndex` gives them: an
    /// empty match right after another match does not count.
    ///
    /// # Errors
    ///
    /// It takes too many steps.
    pub fn find_all(&self, text: &str, limit: Option<usize>) -> Result<Vec<(usize, usize)>, Error> {
        let mut matcher = self.matcher(&[0])?;
        let mut matches = Vec::new();
        let mut position = 0;
        let mut previous_end = None;
        while position <= text.len() && limit.is_none_or(|limit| matches.len() < limit) {
            let found = matcher.find_at(text, position)?;
            let Some((start, end)) = found.and_then(|found| found.group(0)) else {
                break;
            };
            let counts = end != position || previous_end != Some(start);
            position = if end == position {
                position + width_at(text, position)
            } else {
                end
            };
            previous_end = Some(end);
            if counts {
                matches.push((start, end));
            }
        }
        Ok(matches)
    }

    /// `text` with every match replaced by the expansion of `template`, as Go's `ReplaceAllString`.
    ///
    /// # Errors
    ///
    /// It takes too many steps.
    pub fn replace_all(&self, text: &str, template: &str) -> Result<String, Error> {
        let template = self.template(template);
        let mut groups = template.groups().to_vec();
        groups.push(0);
        let mut matcher = self.matcher(&groups)?;
        let mut replaced = String::new();
        let (mut position, mut copied) = (0, 0);
        while position <= text.len() {
            let Some(found) = matcher.find_at(text, position)? else {
                break;
            };
            let Some((start, end)) = found.group(0) else {
                break;
            };
            replaced.push_str(&text[copied..start]);
            if end > copied || start == 0 {
                replaced.push_str(&template.expand(text, |group| found.group(group)));
            }
            copied = end;
            position = (position + width_at(text, position)).max(copied);
        }
        replaced.push_str(&text[copied..]);
        Ok(replaced)
    }

    /// `text` with every match replaced by `replacement` as it stands, as Go's `ReplaceAllLiteralString`.
    ///
    /// # Errors
    ///
    /// It takes too many steps.
    pub fn replace_all_literal(&self, text: &str, replacement: &str) -> Result<String, Error> {
        self.replace_all(text, &replacement.replace('$', "$$"))
    }

    /// The parts of `text` between the matches, at most `limit` of them, as Go's `Split`. A limit of 0 gives
    /// none.
    ///
    /// # Errors
    ///
    /// It takes too many steps.
    pub fn split<'t>(&self, text: &'t str, limit: Option<usize>) -> Result<Vec<&'t str>, Error> {
        if limit == Some(0) {
            return Ok(Vec::new());
        }
        if !self.source.is_empty() && text.is_empty() {
            return Ok(vec![""]);
        }
        let mut parts = Vec::new();
        let (mut begin, mut end) = (0, 0);
        for (start, stop) in self.find_all(text, limit)? {
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
        Ok(parts)
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
            regexp("a*").find_all("baaac", None).unwrap(),
            [(0, 0), (1, 4), (5, 5)]
        );
        assert_eq!(
            regexp("a*").find_all("baaac", Some(2)).unwrap(),
            [(0, 0), (1, 4)]
        );
        assert_eq!(
            regexp("a*").replace_all("baaac", "<$0>").unwrap(),
            "<>b<aaa>c<>"
        );
        assert_eq!(
            regexp("").replace_all("\u{e9}a", "-").unwrap(),
            "-\u{e9}-a-"
        );
        assert_eq!(
            regexp("a").replace_all_literal("bab", "$0").unwrap(),
            "b$0b"
        );
    }

    #[test]
    fn splits_as_go_does() {
        assert_eq!(
            regexp("a").split("banana", None).unwrap(),
            ["b", "n", "n", ""]
        );
        assert_eq!(regexp("a").split("banana", Some(2)).unwrap(), ["b", "nana"]);
        assert_eq!(regexp("x*").split("axb", None).unwrap(), ["a", "b"]);
        assert_eq!(regexp(",").split("", None).unwrap(), [""]);
        assert!(regexp(",").split("a,b", Some(0)).unwrap().is_empty());
    }
}
