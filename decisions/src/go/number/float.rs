//! `strconv.ParseFloat` for 64 bits.

use crate::go::text::quote;

/// Why a text is no number; displays as Go's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("strconv.ParseFloat: parsing {}: {kind}", quote(.text))]
pub struct FloatError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub kind: FloatErrorKind,
}

/// The two ways in which a text is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FloatErrorKind {
    /// It doesn't look like one.
    #[error("invalid syntax")]
    Syntax,
    /// It is too large for 64 bits. (Numbers that are too small are zero.)
    #[error("value out of range")]
    Range,
}

/// Reads a number in Go's notation: decimal or hexadecimal, with underscores between digits, or `inf`, `infinity`, `nan`.
///
/// # Errors
///
/// The text is something else, or its value is out of range.
pub fn parse_float(text: &str) -> Result<f64, FloatError> {
    if let Some(number) = whole(text) {
        return Ok(number);
    }
    let value = special(text).map_or_else(|| finite(text), Ok);
    value.map_err(|kind| FloatError {
        text: text.into(),
        kind,
    })
}

/// A number of digits alone that fits 64 bits, as build numbers and timestamps are: its conversion rounds as Go's does.
fn whole(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    if bytes.is_empty() || bytes.len() > 19 {
        return None;
    }
    let mut number = 0_u64;
    for byte in bytes {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + u64::from(digit);
    }
    // To the nearest, ties to even.
    Some(number as f64)
}

fn special(text: &str) -> Option<f64> {
    let (negative, name) = split_sign(text);
    if name.eq_ignore_ascii_case("inf") || name.eq_ignore_ascii_case("infinity") {
        return Some(if negative {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        });
    }
    // Go takes a sign before infinity only.
    text.eq_ignore_ascii_case("nan").then_some(f64::NAN)
}

fn finite(text: &str) -> Result<f64, FloatErrorKind> {
    let (negative, unsigned) = split_sign(text);
    if unsigned.contains('_') && !underscores_separate_digits(unsigned) {
        return Err(FloatErrorKind::Syntax);
    }
    let plain = unsigned.replace('_', "");
    let magnitude = match plain
        .strip_prefix("0x")
        .or_else(|| plain.strip_prefix("0X"))
    {
        Some(digits) => hexadecimal(digits)?,
        None => decimal(&plain)?,
    };
    if magnitude.is_infinite() {
        return Err(FloatErrorKind::Range);
    }
    Ok(if negative { -magnitude } else { magnitude })
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Whether each underscore stands between two digits or between a base prefix and a digit.
fn underscores_separate_digits(unsigned: &str) -> bool {
    let bytes = unsigned.as_bytes();
    let (prefixed, hexadecimal) = match bytes {
        [b'0', b'x' | b'X', ..] => (true, true),
        [b'0', b'b' | b'B' | b'o' | b'O', ..] => (true, false),
        _ => (false, false),
    };
    let body = if prefixed { &bytes[2..] } else { bytes };
    let is_digit = |byte: u8| {
        if hexadecimal {
            byte.is_ascii_hexdigit()
        } else {
            byte.is_ascii_digit()
        }
    };
    body.iter().enumerate().all(|(index, byte)| {
        let digit_before = if index == 0 {
            prefixed
        } else {
            is_digit(body[index - 1])
        };
        let digit_after = body.get(index + 1).is_some_and(|next| is_digit(*next));
        *byte != b'_' || digit_before && digit_after
    })
}

/// A number's digits and exponent, `point` being the number of digits before the point.
struct Scanned {
    digits: String,
    point: i64,
    exponent: i64,
}

/// Reads digits with at most one point, then perhaps an exponent after `letter`.
fn scan(text: &str, radix: u32, letter: char) -> Option<Scanned> {
    let (mantissa, exponent) = match text.find([letter, letter.to_ascii_uppercase()]) {
        Some(place) => (&text[..place], Some(scan_exponent(&text[place + 1..])?)),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    if radix == 16 && exponent.is_none() {
        return None;
    }
    Some(Scanned {
        digits,
        point: whole.len() as i64,
        exponent: exponent.unwrap_or(0),
    })
}

fn scan_exponent(text: &str) -> Option<i64> {
    /// Beyond this every value is zero or out of range, whatever its digits.
    const ENOUGH: i64 = 1 << 40;
    let (negative, digits) = split_sign(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits.bytes().fold(0_i64, |sum, digit| {
        (sum * 10 + i64::from(digit - b'0')).min(ENOUGH)
    });
    Some(if negative { -magnitude } else { magnitude })
}

fn decimal(plain: &str) -> Result<f64, FloatErrorKind> {
    scan(plain, 10, 'e').ok_or(FloatErrorKind::Syntax)?;
    plain.parse().map_err(|_| FloatErrorKind::Syntax)
}

fn hexadecimal(text: &str) -> Result<f64, FloatErrorKind> {
    let scanned = scan(text, 16, 'p').ok_or(FloatErrorKind::Syntax)?;
    let significant = scanned.digits.trim_start_matches('0');
    let leading_zeros = (scanned.digits.len() - significant.len()) as i64;
    // Sixteen digits fill 64 bits; of the rest it only matters whether there is anything.
    let (kept, dropped) = significant.split_at(significant.len().min(16));
    let sticky = dropped.bytes().any(|digit| digit != b'0');
    let mantissa = kept.chars().fold(0_u64, |sum, digit| {
        sum << 4 | u64::from(digit.to_digit(16).unwrap_or(0))
    });
    let places = scanned.point - leading_zeros - kept.len() as i64;
    Ok(scale(mantissa, sticky, scanned.exponent + 4 * places))
}

/// `mantissa * 2^exponent`, rounded to the nearest, ties to even; `sticky` says that a bit below the last is set.
fn scale(mantissa: u64, sticky: bool, exponent: i64) -> f64 {
    const FRACTION_BITS: i64 = 52;
    const LEAST_EXPONENT: i64 = -1074;
    if mantissa == 0 {
        return 0.0;
    }
    let length = 64 - i64::from(mantissa.leading_zeros());
    // The exponent of the last bit that the result can hold.
    let last = (exponent + length - 1 - FRACTION_BITS).max(LEAST_EXPONENT);
    let drop = last - exponent;
    if drop > 65 {
        return 0.0;
    }
    // Room below the mantissa for the bits that decide the rounding.
    let wide = (u128::from(mantissa) << 60) | u128::from(sticky);
    let shift = u32::try_from(drop + 60).unwrap_or(0);
    let mut bits = wide.checked_shr(shift).unwrap_or(0) as u64;
    let rest = wide & ((1_u128 << shift) - 1);
    let half = 1_u128 << (shift - 1);
    if rest > half || (rest == half && bits & 1 == 1) {
        bits += 1;
    }
    // At most 53 bits: exact, and so is the multiplication unless it overflows.
    power_of_two(bits as f64, last)
}

fn power_of_two(value: f64, exponent: i64) -> f64 {
    if exponent > 1023 {
        return f64::INFINITY;
    }
    if exponent >= -1022 {
        return value * f64::from_bits(((exponent + 1023) as u64) << 52);
    }
    // The least subnormal, then up: `value` holds no bit that the result can't.
    value * f64::from_bits(1 << (exponent + 1074))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        match parse_float(text) {
            Ok(value) => format!("{value:?}"),
            Err(error) => format!("{:?}", error.kind),
        }
    }

    #[test]
    fn decimals_may_have_signs_exponents_and_underscores() {
        for (text, value) in [
            ("0", "0.0"),
            ("-0", "-0.0"),
            ("+12.50", "12.5"),
            (".5", "0.5"),
            ("5.", "5.0"),
            ("1e3", "1000.0"),
            ("1E+3", "1000.0"),
            ("20240101_1", "202401011.0"),
            ("1_0.2_5", "10.25"),
            ("1e1_0", "10000000000.0"),
            ("1e-400", "0.0"),
            ("1e309", "Range"),
            ("1e99999999999999999999", "Range"),
            ("00012", "12.0"),
        ] {
            assert_eq!(parsed(text), value, "{text}");
        }
    }

    #[test]
    fn whole_numbers_round_as_all_others_do() {
        let mut number = 1_u64;
        for _ in 0..2000 {
            number = number
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(7);
            for text in [
                (number % 10_000_000_000_000_000_000).to_string(),
                (9_007_199_254_740_992 + number % 9).to_string(),
                format!("{:019}", number >> 20),
            ] {
                assert_eq!(whole(&text), finite(&text).ok(), "{text}");
            }
        }
        assert_eq!(whole("12345678901234567890"), None);
        assert_eq!(whole("1.0"), None);
    }

    #[test]
    fn hexadecimals_need_an_exponent() {
        for (text, value) in [
            ("0x1p4", "16.0"),
            ("0X1.8P+1", "3.0"),
            ("0x_1p4", "16.0"),
            ("-0x.8p0", "-0.5"),
            ("0x1p-1074", "5e-324"),
            ("0x1p-1075", "0.0"),
            ("0x1.8p-1075", "5e-324"),
            ("0x1p-99999999", "0.0"),
            ("0x1p1024", "Range"),
            ("0x1.fffffffffffff7p1023", "1.7976931348623157e308"),
            ("0x1.fffffffffffff8p1023", "Range"),
            ("0x1.00000000000008p0", "1.0"),
            ("0x1.000000000000080000000000001p0", "1.0000000000000002"),
            ("0x0p99999", "0.0"),
            ("0x1", "Syntax"),
            ("0x", "Syntax"),
            ("0xp1", "Syntax"),
        ] {
            assert_eq!(parsed(text), value, "{text}");
        }
    }

    #[test]
    fn names_have_any_case() {
        assert_eq!(parsed("iNf"), "inf");
        assert_eq!(parsed("-Infinity"), "-inf");
        assert_eq!(parsed("+inf"), "inf");
        assert_eq!(parsed("NAN"), "NaN");
        for text in ["+nan", "-nan", "infin", "nano"] {
            assert_eq!(parsed(text), "Syntax", "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_numbers() {
        for text in [
            "", " 1", "1 ", "v1", "1.2.3", "1e", "1e+", "_1", "1_", "1__0", "1_.5", "1._5", "1e_1",
            "+", ".", "--1", "0b1", "1p3", "e5", "0x1_p1", "1,5",
        ] {
            assert_eq!(parsed(text), "Syntax", "{text:?}");
        }
        assert_eq!(
            parse_float("a\"b").unwrap_err().to_string(),
            "strconv.ParseFloat: parsing \"a\\\"b\": invalid syntax"
        );
    }
}
