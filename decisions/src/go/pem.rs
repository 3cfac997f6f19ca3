//! Go's `encoding/pem`: the blocks of a text, whatever stands between them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The words after `BEGIN`.
    pub kind: String,
    /// Its content.
    pub bytes: Vec<u8>,
    /// The block as it was written, ends included.
    pub text: String,
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// The well-formed blocks, in order.
pub fn blocks(bytes: &[u8]) -> impl Iterator<Item = Block> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut place = 0;
    std::iter::from_fn(move || {
        loop {
            let start = next_begin(&text, place)?;
            match block_at(&text, start) {
                Some((block, end)) => {
                    place = end;
                    return Some(block);
                }
                None => place = start + BEGIN.len(),
            }
        }
    })
}

fn next_begin(text: &str, from: usize) -> Option<usize> {
    let starts = text[from..].match_indices(BEGIN);
    let mut starts = starts.map(|(index, _)| from + index);
    starts.find(|start| *start == 0 || text.as_bytes()[start - 1] == b'\n')
}

/// The block that begins at `start`, and where it ends.
fn block_at(text: &str, start: usize) -> Option<(Block, usize)> {
    let after = start + BEGIN.len();
    let line_end = after + text[after..].find('\n')?;
    let kind = text[after..line_end].trim_end().strip_suffix(DASHES)?;
    let end_line = format!("{END}{kind}{DASHES}");
    let body_start = line_end + 1;
    let body_length = text[body_start..].find(&end_line)?;
    let body = &text[body_start..body_start + body_length];
    if !(body.is_empty() || body.ends_with('\n')) || body.contains(BEGIN) {
        return None;
    }
    let end = body_start + body_length + end_line.len();
    let block = Block {
        kind: kind.to_owned(),
        bytes: content(body)?,
        text: text[start..end].to_owned(),
    };
    Some((block, end))
}

/// The bytes behind the headers.
fn content(body: &str) -> Option<Vec<u8>> {
    let lines = body.lines().skip_while(|line| line.contains(':'));
    let digits: String = lines
        .flat_map(|line| line.chars().filter(|character| !character.is_whitespace()))
        .collect();
    STANDARD.decode(digits).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_between_other_text() {
        let text = "hello\n-----BEGIN A B-----\nProc-Type: 4,ENCRYPTED\n\nAQID\r\n-----END A B-----\nx\n-----BEGIN C-----\n-----END C-----";
        let found: Vec<Block> = blocks(text.as_bytes()).collect();
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].kind.as_str(), &found[0].bytes[..]),
            ("A B", &[1, 2, 3][..])
        );
        assert_eq!(found[1].text, "-----BEGIN C-----\n-----END C-----");
    }

    #[test]
    fn what_is_broken_is_no_block() {
        for text in [
            "junk",
            "-----BEGIN A-----\n!!\n-----END A-----\n",
            "-----BEGIN A-----\nAQID\n-----END B-----\n",
            "x-----BEGIN A-----\nAQID\n-----END A-----\n",
        ] {
            assert_eq!(blocks(text.as_bytes()).count(), 0, "{text}");
        }
    }
}
