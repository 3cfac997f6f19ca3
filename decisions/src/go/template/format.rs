//! Go's `fmt`: verbs, flags and the texts that stand in for mistakes.

mod directives;

use super::characters;
use super::limits::{Bound, Limits};
use super::number::format_float;
use super::quote;
use super::value::{Kind, Value};

/// `fmt.Sprint`
pub(super) fn print(limits: &mut Limits, values: &[Value]) -> Result<Vec<u8>, Bound> {
    let mut printer = Printer::new(limits);
    let mut after_text = false;
    for (index, value) in values.iter().enumerate() {
        let is_text = matches!(value, Value::String(_));
        if index > 0 && !is_text && !after_text {
            printer.out.push(b' ');
        }
        printer.argument(value, 'v');
        after_text = is_text;
    }
    printer.finish()
}

/// `fmt.Sprintln`
pub(super) fn println(limits: &mut Limits, values: &[Value]) -> Result<Vec<u8>, Bound> {
    let mut printer = Printer::new(limits);
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            printer.out.push(b' ');
        }
        printer.argument(value, 'v');
    }
    printer.out.push(b'\n');
    printer.finish()
}

/// `fmt.Sprintf`
pub(super) fn printf(
    limits: &mut Limits,
    format: &[u8],
    values: &[Value],
) -> Result<Vec<u8>, Bound> {
    let mut printer = Printer::new(limits);
    directives::Directives::new(format, values).run(&mut printer);
    printer.finish()
}

/// The value's text with one verb and no flags.
pub(super) fn verb(limits: &mut Limits, value: &Value, verb: char) -> Result<Vec<u8>, Bound> {
    let mut printer = Printer::new(limits);
    printer.argument(value, verb);
    printer.finish()
}

#[derive(Clone, Copy, Default)]
struct Flags {
    width: Option<usize>,
    precision: Option<usize>,
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    plus_v: bool,
    sharp_v: bool,
}

struct Printer<'a> {
    out: Vec<u8>,
    flags: Flags,
    erroring: bool,
    bound: Option<Bound>,
    limits: &'a mut Limits,
}

impl<'a> Printer<'a> {
    fn new(limits: &'a mut Limits) -> Self {
        Self {
            out: Vec::new(),
            flags: Flags::default(),
            erroring: false,
            bound: None,
            limits,
        }
    }

    fn finish(self) -> Result<Vec<u8>, Bound> {
        match self.bound {
            Some(bound) => Err(bound),
            None => {
                self.limits.spend(self.out.len())?;
                Ok(self.out)
            }
        }
    }

    fn write(&mut self, text: impl AsRef<[u8]>) {
        let text = text.as_ref();
        if self.out.len() + text.len() > self.limits.output {
            self.bound = Some(Bound::Output);
        } else {
            self.out.extend_from_slice(text);
        }
    }

    fn write_padding(&mut self, count: usize) {
        let byte = if self.flags.zero && !self.flags.minus {
            b'0'
        } else {
            b' '
        };
        if self.out.len() + count > self.limits.output {
            self.bound = Some(Bound::Output);
        } else {
            self.out.resize(self.out.len() + count, byte);
        }
    }

    fn pad(&mut self, text: impl AsRef<[u8]>) {
        let text = text.as_ref();
        let width = self.flags.width.unwrap_or(0);
        let missing = width.saturating_sub(characters::count(text));
        if self.flags.minus {
            self.write(text);
            self.write_padding(missing);
        } else {
            self.write_padding(missing);
            self.write(text);
        }
    }

    fn pad_with_spaces(&mut self, text: impl AsRef<[u8]>) {
        let zero = std::mem::replace(&mut self.flags.zero, false);
        self.pad(text);
        self.flags.zero = zero;
    }

    fn bad_verb(&mut self, verb: char, value: &Value) {
        self.erroring = true;
        self.write("%!");
        self.write(verb.to_string());
        self.write("(");
        if matches!(value, Value::Invalid) {
            self.write("<nil>");
        } else {
            self.write(value.type_name());
            self.write("=");
            self.value(value, 'v', 0, true);
        }
        self.write(")");
        self.erroring = false;
    }

    /// Prints what an interface holds.
    fn argument(&mut self, value: &Value, verb: char) {
        let value = &value.clone().unwrapped();
        match (value, verb) {
            (Value::Invalid, 'T' | 'v') => self.pad("<nil>"),
            (Value::Invalid, _) => self.bad_verb(verb, value),
            (_, 'T') => self.text(value.type_name().as_bytes()),
            (_, 'p') => self.pointer(value, 'p'),
            _ => {
                if !self.by_method(value, verb) {
                    self.value(value, verb, 0, true);
                }
            }
        }
    }

    fn by_method(&mut self, value: &Value, verb: char) -> bool {
        if self.erroring {
            return false;
        }
        if verb == 'w' {
            self.bad_verb(verb, value);
            return true;
        }
        if self.flags.sharp_v {
            return match value.go_text() {
                None => false,
                Some(text) => {
                    self.text(text.as_bytes());
                    true
                }
            };
        }
        if !matches!(verb, 'v' | 's' | 'x' | 'X' | 'q') {
            return false;
        }
        match value.stringer() {
            None => false,
            Some(text) => {
                self.string(&text, verb, value);
                true
            }
        }
    }

    fn value(&mut self, value: &Value, verb: char, depth: usize, methods: bool) {
        if depth > self.limits.depth {
            self.bound = Some(Bound::Depth);
        }
        if self.bound.is_some() {
            return;
        }
        if depth > 0 && methods && self.by_method(&value.clone().unwrapped(), verb) {
            return;
        }
        match value {
            Value::Invalid => match verb {
                _ if depth == 0 => self.write("<invalid reflect.Value>"),
                'v' => self.write("<nil>"),
                _ => self.bad_verb(verb, value),
            },
            Value::Interface(inner) if matches!(**inner, Value::Invalid) => {
                if self.flags.sharp_v {
                    self.write("interface {}(nil)");
                } else {
                    self.write("<nil>");
                }
            }
            Value::Interface(inner) => self.value(inner, verb, depth + 1, methods),
            Value::Bool(truth) => match verb {
                't' | 'v' => self.pad(if *truth { "true" } else { "false" }),
                _ => self.bad_verb(verb, value),
            },
            Value::Int(number) | Value::Int64(number) | Value::Named(_, number) => {
                self.integer(*number as u64, true, verb, value);
            }
            Value::Uint8(_) | Value::Uint32(_) | Value::Uint64(_) => {
                self.integer(value.unsigned().unwrap_or(0), false, verb, value);
            }
            Value::Float64(number) => self.float(*number, verb, value),
            Value::Complex128(real, imaginary) => self.complex(*real, *imaginary, verb, value),
            Value::String(text) => self.string(text, verb, value),
            Value::List(_) => self.list(value, verb, depth, methods),
            Value::Map(_) => self.map(value, verb, depth, methods),
            Value::Struct(_) => self.structure(value, verb, depth, methods),
            Value::Pointer(_, Some(target)) if depth == 0 => {
                self.write("&");
                self.value(&Value::Struct(target.clone()), verb, depth + 1, methods);
            }
            Value::Pointer(..) => self.pointer(value, verb),
        }
    }

    fn list(&mut self, value: &Value, verb: char, depth: usize, methods: bool) {
        let Value::List(list) = value else { return };
        if let Some(bytes) = value.as_bytes()
            && matches!(verb, 's' | 'q' | 'x' | 'X')
        {
            return self.string(&bytes, verb, value);
        }
        let sharp = self.flags.sharp_v;
        if sharp {
            self.write(match (depth, list.kind.name) {
                (0, "[]uint8") => "[]byte",
                (_, name) => name,
            });
            if list.items.is_none() {
                self.write("(nil)");
                return;
            }
        }
        self.write(if sharp { "{" } else { "[" });
        for (index, item) in list.snapshot().into_iter().enumerate() {
            if index > 0 {
                self.write(if sharp { ", " } else { " " });
            }
            let item = item.stored_as(&list.kind.element);
            self.value(&item, verb, depth + 1, methods);
        }
        self.write(if sharp { "}" } else { "]" });
    }

    fn map(&mut self, value: &Value, verb: char, depth: usize, methods: bool) {
        let Value::Map(map) = value else { return };
        let sharp = self.flags.sharp_v;
        if sharp {
            self.write(map.kind.name);
            if map.entries.is_none() {
                self.write("(nil)");
                return;
            }
        }
        self.write(if sharp { "{" } else { "map[" });
        for (index, (key, item)) in map.snapshot().into_iter().enumerate() {
            if index > 0 {
                self.write(if sharp { ", " } else { " " });
            }
            self.value(&key, verb, depth + 1, methods);
            self.write(":");
            let item = item.stored_as(&map.kind.element);
            self.value(&item, verb, depth + 1, methods);
        }
        self.write(if sharp { "}" } else { "]" });
    }

    fn structure(&mut self, value: &Value, verb: char, depth: usize, methods: bool) {
        let Value::Struct(structure) = value else {
            return;
        };
        let sharp = self.flags.sharp_v;
        if sharp {
            self.write(structure.kind.name);
        }
        self.write("{");
        for (index, (field, item)) in structure
            .kind
            .fields
            .iter()
            .zip(&structure.fields)
            .enumerate()
        {
            if index > 0 {
                self.write(if sharp { ", " } else { " " });
            }
            if sharp || self.flags.plus_v {
                self.write(field.name);
                self.write(":");
            }
            let exported = field.name.starts_with(|first: char| first.is_uppercase());
            self.value(item, verb, depth + 1, methods && exported);
        }
        self.write("}");
    }

    fn pointer(&mut self, value: &Value, verb: char) {
        let address = match value.kind() {
            Kind::Slice | Kind::Map | Kind::Pointer if value.is_nil() => 0,
            Kind::Slice | Kind::Map | Kind::Pointer => self.limits.address(),
            _ => return self.bad_verb(verb, value),
        };
        match verb {
            'v' if self.flags.sharp_v => {
                self.write(format!("({})(", value.type_name()));
                if address == 0 {
                    self.write("nil");
                } else {
                    self.hexadecimal(address, true);
                }
                self.write(")");
            }
            'v' if address == 0 => self.pad("<nil>"),
            'v' | 'p' => self.hexadecimal(address, !self.flags.sharp),
            'b' | 'o' | 'd' | 'x' | 'X' => self.integer(address, false, verb, value),
            _ => self.bad_verb(verb, value),
        }
    }

    fn hexadecimal(&mut self, number: u64, prefix: bool) {
        let sharp = std::mem::replace(&mut self.flags.sharp, prefix);
        self.digits(number, 16, false, 'v');
        self.flags.sharp = sharp;
    }

    fn text(&mut self, text: &[u8]) {
        let text = self.truncated(text);
        self.pad(text);
    }

    fn truncated<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        match self.flags.precision {
            None => text,
            Some(precision) => {
                let length = characters::characters(text)
                    .take(precision)
                    .map(|(_, width)| width)
                    .sum();
                &text[..length]
            }
        }
    }

    fn string(&mut self, text: &[u8], verb: char, value: &Value) {
        match verb {
            'v' if self.flags.sharp_v => self.quoted(text),
            'v' | 's' => self.text(text),
            'x' | 'X' => self.bytes_in_hexadecimal(text, verb == 'X'),
            'q' => self.quoted(text),
            _ => self.bad_verb(verb, value),
        }
    }

    fn quoted(&mut self, text: &[u8]) {
        let text = self.truncated(text).to_vec();
        if self.flags.sharp && quote::can_backquote(&text) {
            self.pad([b"`", &text[..], b"`"].concat());
        } else {
            self.pad(quote::quote(&text, self.flags.plus));
        }
    }

    fn bytes_in_hexadecimal(&mut self, text: &[u8], upper: bool) {
        let length = self
            .flags
            .precision
            .map_or(text.len(), |precision| precision.min(text.len()));
        let prefix = if upper { "0X" } else { "0x" };
        let mut out = Vec::with_capacity(length * 2);
        for (index, byte) in text[..length].iter().enumerate() {
            if index > 0 && self.flags.space {
                out.push(b' ');
            }
            if self.flags.sharp && (index == 0 || self.flags.space) {
                out.extend_from_slice(prefix.as_bytes());
            }
            let digits = if upper {
                format!("{byte:02X}")
            } else {
                format!("{byte:02x}")
            };
            out.extend_from_slice(digits.as_bytes());
        }
        self.pad(out);
    }

    fn integer(&mut self, number: u64, signed: bool, verb: char, value: &Value) {
        match verb {
            'v' if self.flags.sharp_v && !signed => self.hexadecimal(number, true),
            'v' | 'd' => self.digits(number, 10, signed, verb),
            'b' => self.digits(number, 2, signed, verb),
            'o' | 'O' => self.digits(number, 8, signed, verb),
            'x' | 'X' => self.digits(number, 16, signed, verb),
            'c' => {
                let mut out = Vec::new();
                characters::push(&mut out, character_of(number));
                self.pad(out);
            }
            'q' => self.pad(quote::quote_character(
                character_of(number),
                self.flags.plus,
            )),
            'U' => self.unicode(number),
            _ => self.bad_verb(verb, value),
        }
    }

    fn unicode(&mut self, number: u64) {
        let precision = self.flags.precision.unwrap_or(4).max(4);
        let mut out = format!("U+{number:0precision$X}").into_bytes();
        let printable = u32::try_from(number)
            .ok()
            .and_then(char::from_u32)
            .filter(|character| characters::is_print(*character));
        if let (true, Some(character)) = (self.flags.sharp, printable) {
            out.extend_from_slice(b" '");
            characters::push(&mut out, character);
            out.push(b'\'');
        }
        self.pad_with_spaces(out);
    }

    fn digits(&mut self, number: u64, base: u32, signed: bool, verb: char) {
        let negative = signed && (number as i64) < 0;
        let magnitude = if negative {
            number.wrapping_neg()
        } else {
            number
        };
        let signed_width = negative || self.flags.plus || self.flags.space;
        let precision = match (self.flags.precision, self.flags.width) {
            (Some(0), _) if magnitude == 0 => {
                let zero = std::mem::replace(&mut self.flags.zero, false);
                self.write_padding(self.flags.width.unwrap_or(0));
                self.flags.zero = zero;
                return;
            }
            (Some(precision), _) => precision,
            (None, Some(width)) if self.flags.zero && !self.flags.minus => {
                width.saturating_sub(usize::from(signed_width))
            }
            _ => 0,
        };
        let digits = match (base, verb) {
            (2, _) => format!("{magnitude:b}"),
            (8, _) => format!("{magnitude:o}"),
            (16, 'X') => format!("{magnitude:X}"),
            (16, _) => format!("{magnitude:x}"),
            _ => magnitude.to_string(),
        };
        let zeros = "0".repeat(precision.saturating_sub(digits.len()));
        let sign = match () {
            () if negative => "-",
            () if self.flags.plus => "+",
            () if self.flags.space => " ",
            () => "",
        };
        let leads_with_zero = !zeros.is_empty() || digits.starts_with('0');
        let prefix = match (self.flags.sharp, base, verb) {
            (true, 2, _) => "0b",
            (true, 8, 'O') if leads_with_zero => "0o",
            (true, 8, 'O') => "0o0",
            (_, 8, 'O') => "0o",
            (true, 8, _) if !leads_with_zero => "0",
            (true, 16, 'X') => "0X",
            (true, 16, _) => "0x",
            _ => "",
        };
        self.pad_with_spaces(format!("{sign}{prefix}{zeros}{digits}"));
    }

    fn float(&mut self, number: f64, verb: char, value: &Value) {
        match verb {
            'v' => self.float_digits(number, 'g', None),
            'b' | 'g' | 'G' | 'x' | 'X' => self.float_digits(number, verb, None),
            'f' | 'e' | 'E' => self.float_digits(number, verb, Some(6)),
            'F' => self.float_digits(number, 'f', Some(6)),
            _ => self.bad_verb(verb, value),
        }
    }

    fn float_digits(&mut self, number: f64, verb: char, precision: Option<usize>) {
        let precision = self.flags.precision.or(precision);
        let text = format_float(number, verb, precision);
        let (sign, body) = match text.split_at_checked(1) {
            Some(("-", body)) => ('-', body),
            Some(("+", body)) => ('+', body),
            _ => ('+', &text[..]),
        };
        let sign = if self.flags.space && sign == '+' && !self.flags.plus {
            ' '
        } else {
            sign
        };
        if body.starts_with(['I', 'N']) {
            let bare = body.starts_with('N') && !self.flags.space && !self.flags.plus;
            let shows_sign = self.flags.plus || sign != '+';
            let text = if bare || !(shows_sign || body.starts_with('I')) {
                body.to_string()
            } else {
                format!("{sign}{body}")
            };
            return self.pad_with_spaces(text);
        }
        let body = if self.flags.sharp && verb != 'b' {
            with_all_digits(body, verb, precision)
        } else {
            body.to_string()
        };
        if !self.flags.plus && sign == '+' {
            return self.pad(body);
        }
        let text = format!("{sign}{body}");
        match self.flags.width {
            Some(width) if self.flags.zero && !self.flags.minus && width > text.len() => {
                self.write(sign.to_string());
                self.write_padding(width - text.len());
                self.write(body);
            }
            _ => self.pad(text),
        }
    }

    fn complex(&mut self, real: f64, imaginary: f64, verb: char, value: &Value) {
        if !"vbgGxXfFeE".contains(verb) {
            return self.bad_verb(verb, value);
        }
        let plus = self.flags.plus;
        self.write("(");
        self.float(real, verb, value);
        self.flags.plus = true;
        self.float(imaginary, verb, value);
        self.write("i)");
        self.flags.plus = plus;
    }
}

/// `#` keeps the decimal point and the zeros that `%g` drops.
fn with_all_digits(body: &str, verb: char, precision: Option<usize>) -> String {
    let mut digits = match verb {
        'g' | 'G' | 'x' => precision.map_or(6, |precision| precision as i64),
        _ => 0,
    };
    let is_hexadecimal = matches!(verb, 'x' | 'X');
    let tail_at = body
        .find(|c: char| matches!(c, 'p' | 'P') || (!is_hexadecimal && matches!(c, 'e' | 'E')))
        .unwrap_or(body.len());
    let (head, tail) = body.split_at(tail_at);
    let mut seen_digit = false;
    for character in head.chars().filter(|character| *character != '.') {
        seen_digit |= character != '0';
        digits -= i64::from(seen_digit);
    }
    let mut out = head.to_string();
    if !head.contains('.') {
        digits -= i64::from(head == "0");
        out.push('.');
    }
    out.extend((0..digits.max(0)).map(|_| '0'));
    out + tail
}

fn character_of(number: u64) -> char {
    u32::try_from(number)
        .ok()
        .and_then(char::from_u32)
        .unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The value's text for an error message, as `%v` gives it there.
pub(super) fn for_error(limits: &mut Limits, value: &Value) -> Result<String, Bound> {
    let printed = match value {
        Value::Invalid => b"<invalid reflect.Value>".to_vec(),
        other => {
            let mut printer = Printer::new(limits);
            let bare = other.clone();
            if !printer.by_method(&bare.clone().unwrapped(), 'v') {
                printer.value(&bare, 'v', 0, true);
            }
            printer.finish()?
        }
    };
    Ok(characters::lossy(&printed))
}
