//! Go's `encoding/base64`, standard alphabet: what it decodes, and at which byte it gives up.

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Decodes `text`, line ends left out: padded (`StdEncoding`) or without any padding (`RawStdEncoding`).
///
/// # Errors
///
/// The offset that Go names in `illegal base64 data at input byte N`.
pub fn decode(text: &[u8], padded: bool) -> Result<Vec<u8>, usize> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut group = Vec::with_capacity(4);
    let mut place = 0;
    while place < text.len() {
        let byte = text[place];
        place += 1;
        if let Some(letter) = value_of(byte) {
            group.push(letter);
            if group.len() == 4 {
                unpack(&mut out, &group);
                group.clear();
            }
            continue;
        }
        if is_newline(byte) {
            continue;
        }
        if !padded || byte != b'=' || group.len() < 2 {
            return Err(place - 1);
        }
        if group.len() == 2 {
            place = after_newlines(text, place);
            match text.get(place) {
                None => return Err(text.len()),
                Some(b'=') => place += 1,
                Some(_) => return Err(place - 1),
            }
        }
        place = after_newlines(text, place);
        if place < text.len() {
            return Err(place);
        }
        unpack(&mut out, &group);
        group.clear();
    }
    match group.len() {
        0 => {}
        held if padded || held == 1 => return Err(text.len() - held),
        _ => unpack(&mut out, &group),
    }
    Ok(out)
}

fn value_of(byte: u8) -> Option<u8> {
    let place = LETTERS.iter().position(|letter| *letter == byte)?;
    u8::try_from(place).ok()
}

fn is_newline(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

fn after_newlines(text: &[u8], mut place: usize) -> usize {
    while text.get(place).is_some_and(|byte| is_newline(*byte)) {
        place += 1;
    }
    place
}

/// Appends the whole bytes in the letters' six bits each.
fn unpack(out: &mut Vec<u8>, letters: &[u8]) {
    let (mut held, mut count) = (0_u32, 0);
    for letter in letters {
        held = held << 6 | u32::from(*letter);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((held >> count & 0xff) as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn padded(text: &str) -> Result<Vec<u8>, usize> {
        decode(text.as_bytes(), true)
    }

    fn raw(text: &str) -> Result<Vec<u8>, usize> {
        decode(text.as_bytes(), false)
    }

    #[test]
    fn bytes_come_out() {
        assert_eq!(padded("dXNlcjpwYXNz"), Ok(b"user:pass".to_vec()));
        assert_eq!(padded("dXNl\ncjpwYQ==\r\n"), Ok(b"user:pa".to_vec()));
        assert_eq!(raw("dXNlcjpwYQ"), Ok(b"user:pa".to_vec()));
        assert_eq!(raw("dXNlcjpwYXM"), Ok(b"user:pas".to_vec()));
    }

    #[test]
    fn offsets_are_gos() {
        assert_eq!(padded("not base64!="), Err(3));
        assert_eq!(padded("dXNlcjpwYQ="), Err(11));
        assert_eq!(padded("dXNlcjpwYQ==x"), Err(12));
        assert_eq!(padded("dXNlcjpwYQ"), Err(8));
        assert_eq!(raw("dXNlcjpwYQ=x"), Err(10));
        assert_eq!(raw("dXNlc"), Err(4));
    }
}
