//! Numbers as Go reads and writes them.

/// `strconv.ParseInt` with base 0 or a fixed base; none for a syntax error or one out of range.
pub(super) fn parse_signed(text: &str, base: u32) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = parse_unsigned(digits, base)?;
    if negative {
        (magnitude <= 1 << 63).then(|| (magnitude as i64).wrapping_neg())
    } else {
        i64::try_from(magnitude).ok()
    }
}

/// `strconv.ParseUint` with base 0 or a fixed base; none for a syntax error or one out of range.
pub(super) fn parse_unsigned(text: &str, base: u32) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let (radix, digits) = match (base, lower.as_bytes()) {
        (0, [b'0', b'x', _, ..]) => (16, &lower[2..]),
        (0, [b'0', b'b', _, ..]) => (2, &lower[2..]),
        (0, [b'0', b'o', _, ..]) => (8, &lower[2..]),
        (0, [b'0', ..]) => (8, &lower[..]),
        (0, _) => (10, &lower[..]),
        (base, _) => (base, &lower[..]),
    };
    let mut plain = String::with_capacity(digits.len());
    let mut underscores = false;
    for digit in digits.chars() {
        match digit {
            '_' if base == 0 => underscores = true,
            digit if digit.is_digit(radix) => plain.push(digit),
            _ => return None,
        }
    }
    if underscores && !underscores_are_well_placed(&lower) {
        return None;
    }
    u64::from_str_radix(&plain, radix).ok()
}

fn underscores_are_well_placed(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let bytes = text.as_bytes();
    let prefixed = bytes.len() >= 2 && bytes[0] == b'0' && matches!(bytes[1], b'b' | b'o' | b'x');
    let hexadecimal = prefixed && bytes[1] == b'x';
    let (mut after_digit, mut after_underscore) = (prefixed, false);
    for byte in &bytes[if prefixed { 2 } else { 0 }..] {
        let digit = byte.is_ascii_digit() || (hexadecimal && byte.is_ascii_hexdigit());
        match byte {
            b'_' if !after_digit => return false,
            _ if after_underscore && !digit => return false,
            _ => {}
        }
        after_digit = digit;
        after_underscore = *byte == b'_';
    }
    !after_underscore
}

/// `strconv.ParseFloat`; none for a syntax error or a number out of range.
pub(in crate::go) fn parse_float(text: &str) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    let (negative, body) = match lower.as_bytes().first()? {
        b'-' => (true, &lower[1..]),
        b'+' => (false, &lower[1..]),
        _ => (false, &lower[..]),
    };
    let sign = |value: f64| if negative { -value } else { value };
    match body {
        "inf" | "infinity" => return Some(sign(f64::INFINITY)),
        "nan" if lower == "nan" => return Some(f64::NAN),
        _ => {}
    }
    let has_underscores = body.contains('_');
    if has_underscores && !underscores_are_well_placed(body) {
        return None;
    }
    let plain = body.replace('_', "");
    let value = match plain.strip_prefix("0x") {
        Some(digits) => parse_hexadecimal_float(digits)?,
        None => {
            let shaped = plain
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b".e+-".contains(&byte));
            if !shaped || !plain.contains(|c: char| c.is_ascii_digit()) {
                return None;
            }
            plain.parse::<f64>().ok()?
        }
    };
    value.is_finite().then(|| sign(value))
}

fn parse_hexadecimal_float(digits: &str) -> Option<f64> {
    let (mantissa, exponent) = digits.split_once('p')?;
    if !exponent
        .trim_start_matches(['+', '-'])
        .bytes()
        .all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let mut exponent = exponent
        .parse::<i64>()
        .ok()
        .map(|exponent| exponent.clamp(-100_000, 100_000))?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut bits: u64 = 0;
    for (index, digit) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = u64::from(digit.to_digit(16)?);
        let after_point = index >= whole.len();
        if bits >> 59 == 0 {
            bits = bits << 4 | digit;
            exponent -= if after_point { 4 } else { 0 };
        } else {
            bits |= u64::from(digit != 0);
            exponent += if after_point { 0 } else { 4 };
        }
    }
    let half = (exponent / 2) as i32;
    Some(bits as f64 * 2f64.powi(half) * 2f64.powi(exponent as i32 - half))
}

/// Digits and the place of the decimal point: `0.digits * 10^point`.
struct Decimal {
    digits: String,
    point: i32,
}

impl Decimal {
    fn of(value: f64, precision: Option<usize>) -> Decimal {
        let text = match precision {
            None => format!("{value:e}"),
            Some(precision) => format!("{value:.precision$e}"),
        };
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        let digits = digits.trim_end_matches('0').to_string();
        let point = if digits.is_empty() {
            0
        } else {
            exponent.parse::<i32>().unwrap_or(0) + 1
        };
        Decimal { digits, point }
    }

    fn scientific(&self, precision: usize, letter: char) -> String {
        let mut digits = self.digits.chars();
        let mut out = String::new();
        out.push(digits.next().unwrap_or('0'));
        if precision > 0 {
            out.push('.');
            out.extend((0..precision).map(|_| digits.next().unwrap_or('0')));
        }
        let exponent = if self.digits.is_empty() {
            0
        } else {
            self.point - 1
        };
        let sign = if exponent < 0 { '-' } else { '+' };
        out + &format!("{letter}{sign}{:02}", exponent.abs())
    }

    fn fixed(&self, precision: usize) -> String {
        let digit = |position: i32| {
            usize::try_from(position)
                .ok()
                .and_then(|position| self.digits.as_bytes().get(position))
                .map_or('0', |digit| char::from(*digit))
        };
        let mut out: String = if self.point > 0 {
            (0..self.point).map(digit).collect()
        } else {
            "0".to_string()
        };
        if precision > 0 {
            out.push('.');
            out.extend((0..precision as i32).map(|place| digit(self.point + place)));
        }
        out
    }
}

/// `strconv.FormatFloat` for 64 bits: a verb of `eEfgGbxX`, and the precision or the shortest one.
pub(in crate::go) fn format_float(value: f64, verb: char, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_string();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value.is_infinite() {
        return if sign.is_empty() { "+Inf" } else { "-Inf" }.to_string();
    }
    let magnitude = value.abs();
    let text = match verb {
        'b' => binary(magnitude),
        'x' | 'X' => hexadecimal(magnitude, verb, precision),
        'e' | 'E' => {
            let decimal = Decimal::of(magnitude, precision);
            let shortest = decimal.digits.len().saturating_sub(1);
            decimal.scientific(precision.unwrap_or(shortest), verb)
        }
        'f' => match precision {
            Some(precision) => format!("{magnitude:.precision$}"),
            None => {
                let decimal = Decimal::of(magnitude, None);
                let places = decimal.digits.len() as i32 - decimal.point;
                decimal.fixed(usize::try_from(places).unwrap_or(0))
            }
        },
        _ => general(magnitude, verb, precision),
    };
    format!("{sign}{text}")
}

fn general(value: f64, verb: char, precision: Option<usize>) -> String {
    let precision = precision.map(|precision| precision.max(1));
    let decimal = Decimal::of(value, precision.map(|precision| precision - 1));
    let count = decimal.digits.len() as i32;
    let wanted = precision.map_or(6, |precision| precision as i32);
    let mut limit = wanted;
    if precision.is_some() && limit > count && count >= decimal.point {
        limit = count;
    }
    let exponent = decimal.point - 1;
    if exponent < -4 || exponent >= limit {
        let digits = precision.map_or(count, |precision| (precision as i32).min(count));
        let letter = if verb == 'G' { 'E' } else { 'e' };
        return decimal.scientific(usize::try_from(digits - 1).unwrap_or(0), letter);
    }
    decimal.fixed(usize::try_from(count - decimal.point).unwrap_or(0))
}

fn parts(value: f64) -> (u64, i64) {
    let bits = value.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    match (bits >> 52 & 0x7ff) as i64 {
        0 => (fraction, -1074),
        exponent => (fraction | 1 << 52, exponent - 1075),
    }
}

fn binary(value: f64) -> String {
    let (mantissa, exponent) = parts(value);
    format!("{mantissa}p{exponent:+}")
}

fn hexadecimal(value: f64, verb: char, precision: Option<usize>) -> String {
    let (mut mantissa, mut exponent) = parts(value);
    if mantissa == 0 {
        exponent = 0;
    } else {
        exponent += 52;
    }
    // The leading 1 sits at bit 60, fifteen hexadecimal digits follow.
    mantissa <<= 8;
    while mantissa != 0 && mantissa & 1 << 60 == 0 {
        mantissa <<= 1;
        exponent -= 1;
    }
    if let Some(precision) = precision.filter(|precision| *precision < 15) {
        let shift = precision * 4;
        let extra = (mantissa << shift) & ((1 << 60) - 1);
        mantissa >>= 60 - shift;
        if extra | (mantissa & 1) > 1 << 59 {
            mantissa += 1;
        }
        mantissa <<= 60 - shift;
        if mantissa & 1 << 61 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let mut out = format!("0x{}", mantissa >> 60 & 1);
    let digits = format!("{:015x}", mantissa & ((1 << 60) - 1));
    let digits = match precision {
        None => digits.trim_end_matches('0').to_string(),
        Some(precision) => digits
            .chars()
            .chain(std::iter::repeat('0'))
            .take(precision)
            .collect(),
    };
    if !digits.is_empty() {
        out.push('.');
        out.push_str(&digits);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    out.push_str(&format!("p{sign}{:02}", exponent.abs()));
    if verb == 'X' {
        out = out.to_uppercase();
    }
    out
}
