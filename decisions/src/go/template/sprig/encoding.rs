//! Base 64, base 32 and hashes.

use super::arguments::text;
use super::hashes::{hexadecimal, sha1, sha256, sha512};
use crate::go::adler32::adler32;
use crate::go::base64;
use crate::go::template::function::{Function, fixed};
use crate::go::template::value::{Type, Value};

const TEXT: Type = Type::String;
const BASE_64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE_32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("b64enc", &[TEXT], TEXT, |_, values| {
        Ok(Value::text(base_64(&text(&values, 0))))
    }),
    fixed("b64dec", &[TEXT], TEXT, |_, values| {
        Ok(Value::text(or_complaint(
            base64::decode(&text(&values, 0), true),
            "base64",
        )))
    }),
    fixed("b32enc", &[TEXT], TEXT, |_, values| {
        Ok(Value::text(encoded(&text(&values, 0), BASE_32, 5, 8)))
    }),
    fixed("b32dec", &[TEXT], TEXT, |_, values| {
        Ok(Value::text(or_complaint(
            decoded_32(&text(&values, 0)),
            "base32",
        )))
    }),
    fixed("sha1sum", &[TEXT], TEXT, |_, values| {
        Ok(Value::text(hexadecimal(&sha1(&text(&values, 0)))))
    }),
    fixed("sha256sum", &[TEXT], TEXT, |_, values| {
        Ok(Value::text(hexadecimal(&sha256(&text(&values, 0)))))
    }),
    fixed("sha512sum", &[TEXT], TEXT, |_, values| {
        Ok(Value::text(hexadecimal(&sha512(&text(&values, 0)))))
    }),
    fixed("adler32sum", &[TEXT], TEXT, |_, values| {
        Ok(Value::text(adler32(&text(&values, 0)).to_string()))
    }),
];

/// The bytes in base 64.
pub(super) fn base_64(bytes: &[u8]) -> Vec<u8> {
    encoded(bytes, BASE_64, 6, 4)
}

/// Groups of `bits` bits as letters, filled up with `=` to a multiple of `group` letters.
fn encoded(text: &[u8], letters: &[u8], bits: u32, group: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut held, mut count) = (0u32, 0);
    for byte in text {
        held = held << 8 | u32::from(*byte);
        count += 8;
        while count >= bits {
            count -= bits;
            out.push(letters[(held >> count) as usize & (letters.len() - 1)]);
        }
        held &= (1 << count) - 1;
    }
    if count > 0 {
        out.push(letters[(held << (bits - count)) as usize & (letters.len() - 1)]);
    }
    while out.len() % group != 0 {
        out.push(b'=');
    }
    out
}

/// The bytes, or Go's text about the byte that doesn't fit.
fn or_complaint(decoded: Result<Vec<u8>, usize>, name: &str) -> Vec<u8> {
    decoded
        .unwrap_or_else(|place| format!("illegal {name} data at input byte {place}").into_bytes())
}

fn letter(letters: &[u8], byte: u8) -> Option<u32> {
    let place = letters.iter().position(|letter| *letter == byte)?;
    u32::try_from(place).ok()
}

/// Appends the whole bytes in the letters' bits.
fn unpack(out: &mut Vec<u8>, letters: &[u32], bits: u32) {
    let (mut held, mut count) = (0u64, 0);
    for letter in letters {
        held = held << bits | u64::from(*letter);
        count += bits;
        if count >= 8 {
            count -= 8;
            out.push((held >> count) as u8);
            held &= (1 << count) - 1;
        }
    }
}

fn decoded_32(text: &[u8]) -> Result<Vec<u8>, usize> {
    let text: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| *byte != b'\n' && *byte != b'\r')
        .collect();
    let mut out = Vec::new();
    let mut group = Vec::new();
    let mut place = 0;
    while place < text.len() {
        let byte = text[place];
        place += 1;
        let left = text.len() - place;
        let held = group.len();
        if byte == b'=' && held >= 2 && left < 8 {
            if left + held < 7 {
                return Err(text.len());
            }
            for index in 0..7 - held {
                if text.get(place + index).is_some_and(|byte| *byte != b'=') {
                    return Err(place + index - 1);
                }
            }
            if matches!(held, 1 | 3 | 6) {
                return Err(place - 1);
            }
            unpack(&mut out, &group, 5);
            return Ok(out);
        }
        match letter(BASE_32, byte) {
            None => return Err(place - 1),
            Some(letter) => group.push(letter),
        }
        if group.len() == 8 {
            unpack(&mut out, &group, 5);
            group.clear();
        }
    }
    match group.len() {
        0 => Ok(out),
        held => Err(text.len() - held),
    }
}
