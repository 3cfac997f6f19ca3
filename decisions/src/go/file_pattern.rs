//! Go's `path.Match` without its rule for slashes, which are characters as others: `*`, `?`, `[a-z]` and `\\`.

/// Whether the whole of `name` matches; `None`: the pattern is malformed as far as it was read.
pub fn matches(mut pattern: &[u8], mut name: &[u8]) -> Option<bool> {
    'pattern: while !pattern.is_empty() {
        let (star, chunk, rest) = next_chunk(pattern);
        pattern = rest;
        if star && chunk.is_empty() {
            return Some(true);
        }
        // The last chunk has to reach the end.
        let fits = |left: &[u8]| left.is_empty() || !rest.is_empty();
        match after(chunk, name)? {
            Some(left) if fits(left) => {
                name = left;
                continue;
            }
            _ => {}
        }
        if star {
            for skipped in 1..=name.len() {
                if let Some(left) = after(chunk, &name[skipped..])?
                    && fits(left)
                {
                    name = left;
                    continue 'pattern;
                }
            }
        }
        return Some(false);
    }
    Some(name.is_empty())
}

/// The stars in front, the text up to the next star, and what follows.
fn next_chunk(pattern: &[u8]) -> (bool, &[u8], &[u8]) {
    let stars = pattern.iter().take_while(|byte| **byte == b'*').count();
    let pattern = &pattern[stars..];
    let (mut at, mut in_set) = (0, false);
    while at < pattern.len() {
        match pattern[at] {
            b'\\' if at + 1 < pattern.len() => at += 1,
            b'[' => in_set = true,
            b']' => in_set = false,
            b'*' if !in_set => break,
            _ => {}
        }
        at += 1;
    }
    (stars > 0, &pattern[..at], &pattern[at..])
}

/// What is left of `name` behind the chunk; `Some(None)`: it doesn't match.
fn after<'n>(mut chunk: &[u8], mut name: &'n [u8]) -> Option<Option<&'n [u8]>> {
    while let Some(first) = chunk.first() {
        if name.is_empty() {
            return Some(None);
        }
        match first {
            b'[' => {
                let (character, width) = decode_rune(name);
                name = &name[width..];
                let (in_set, rest) = set(&chunk[1..], character)?;
                chunk = rest;
                if !in_set {
                    return Some(None);
                }
                continue;
            }
            b'?' => {
                let (_, width) = decode_rune(name);
                name = &name[width..];
                chunk = &chunk[1..];
                continue;
            }
            b'\\' => {
                chunk = &chunk[1..];
                if chunk.is_empty() {
                    return None;
                }
            }
            _ => {}
        }
        if chunk[0] != name[0] {
            return Some(None);
        }
        name = &name[1..];
        chunk = &chunk[1..];
    }
    Some(Some(name))
}

/// Whether a set, given behind its bracket, holds the character, and what follows the set.
fn set(mut chunk: &[u8], character: char) -> Option<(bool, &[u8])> {
    let negated = chunk.first() == Some(&b'^');
    if negated {
        chunk = &chunk[1..];
    }
    let (mut found, mut ranges) = (false, 0);
    loop {
        if ranges > 0 && chunk.first() == Some(&b']') {
            return Some((found != negated, &chunk[1..]));
        }
        let (low, rest) = member(chunk)?;
        chunk = rest;
        let mut high = low;
        if chunk.first() == Some(&b'-') {
            let (member, rest) = member(&chunk[1..])?;
            high = member;
            chunk = rest;
        }
        found |= low <= character && character <= high;
        ranges += 1;
    }
}

/// One character of a set; something has to follow it.
fn member(chunk: &[u8]) -> Option<(char, &[u8])> {
    let chunk = match chunk.first()? {
        b'-' | b']' => return None,
        b'\\' => &chunk[1..],
        _ => chunk,
    };
    let (character, width) = decode_rune(chunk);
    let rest = chunk.get(width..)?;
    let is_broken = character == char::REPLACEMENT_CHARACTER && width == 1;
    (width > 0 && !is_broken && !rest.is_empty()).then_some((character, rest))
}

/// The first character and its bytes as `utf8.DecodeRune` gives them; NUL without bytes at the end, and the replacement
/// character with one where there is no character.
pub fn decode_rune(bytes: &[u8]) -> (char, usize) {
    let Some(first) = bytes.first() else {
        return ('\0', 0);
    };
    if first.is_ascii() {
        return (char::from(*first), 1);
    }
    for width in 2..=4.min(bytes.len()) {
        if let Ok(text) = std::str::from_utf8(&bytes[..width])
            && let Some(character) = text.chars().next()
        {
            return (character, width);
        }
    }
    (char::REPLACEMENT_CHARACTER, 1)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_in_go() {
        for (pattern, name, expected) in [
            ("", "", Some(true)),
            ("*", "a/b", Some(true)),
            ("a*c", "abbc", Some(true)),
            ("a*c", "abbd", Some(false)),
            ("a?c", "a\u{e9}c", Some(true)),
            ("[a-c]x", "bx", Some(true)),
            ("[^a-c]x", "bx", Some(false)),
            ("[\\-]", "-", Some(true)),
            ("\\*", "*", Some(true)),
            ("*.tar.gz", "a.tar.gz", Some(true)),
            ("*a*b*c", "xaybzc", Some(true)),
            ("[", "a", None),
            ("[]a]", "a", None),
            ("a\\", "a", Some(false)),
            ("a[", "ab", None),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
    }
}
