//! The directives of a `printf` format.

use super::{Flags, Printer};
use crate::go::template::characters;
use crate::go::template::value::Value;

/// A run through a format.
pub(super) struct Directives<'a> {
    format: &'a [u8],
    values: &'a [Value],
    position: usize,
    next: usize,
    reordered: bool,
    good_index: bool,
}

impl<'a> Directives<'a> {
    pub(super) fn new(format: &'a [u8], values: &'a [Value]) -> Self {
        Directives {
            format,
            values,
            position: 0,
            next: 0,
            reordered: false,
            good_index: true,
        }
    }

    pub(super) fn run(&mut self, printer: &mut Printer<'_>) {
        while self.position < self.format.len() && printer.bound.is_none() {
            let rest = &self.format[self.position..];
            let text = memchr::memchr(b'%', rest).unwrap_or(rest.len());
            printer.write(&rest[..text]);
            self.position += text;
            if self.position >= self.format.len() {
                break;
            }
            self.position += 1;
            self.directive(printer);
        }
        self.extra_values(printer);
    }

    fn byte(&self) -> Option<u8> {
        self.format.get(self.position).copied()
    }

    fn directive(&mut self, printer: &mut Printer<'_>) {
        printer.flags = Flags::default();
        self.good_index = true;
        while let Some(byte) = self.byte() {
            match byte {
                b'#' => printer.flags.sharp = true,
                b'0' => printer.flags.zero = true,
                b'+' => printer.flags.plus = true,
                b'-' => printer.flags.minus = true,
                b' ' => printer.flags.space = true,
                _ => break,
            }
            self.position += 1;
        }
        let mut after_index = self.index();
        self.width(printer, &mut after_index);
        if self.byte() == Some(b'.') && self.position + 1 < self.format.len() {
            self.precision(printer, &mut after_index);
        }
        if !after_index {
            self.index();
        }
        let Some((verb, width)) = self
            .format
            .get(self.position..)
            .and_then(characters::decode)
        else {
            printer.write("%!(NOVERB)");
            return;
        };
        self.position += width;
        self.operand(printer, verb);
    }

    fn operand(&mut self, printer: &mut Printer<'_>, verb: char) {
        if verb == '%' {
            return printer.write("%");
        }
        if !self.good_index {
            return printer.write(format!("%!{verb}(BADINDEX)"));
        }
        let Some(value) = self.values.get(self.next) else {
            return printer.write(format!("%!{verb}(MISSING)"));
        };
        if matches!(verb, 'v' | 'w') {
            printer.flags.sharp_v = std::mem::replace(&mut printer.flags.sharp, false);
            printer.flags.plus_v = std::mem::replace(&mut printer.flags.plus, false);
        }
        printer.argument(value, verb);
        self.next += 1;
    }

    fn width(&mut self, printer: &mut Printer<'_>, after_index: &mut bool) {
        if self.byte() == Some(b'*') {
            self.position += 1;
            match self.integer_value() {
                None => printer.write("%!(BADWIDTH)"),
                Some(width) => {
                    printer.flags.width = Some(width.unsigned_abs() as usize);
                    if width < 0 {
                        printer.flags.minus = true;
                        printer.flags.zero = false;
                    }
                }
            }
            *after_index = false;
            return;
        }
        printer.flags.width = self.number();
        if *after_index && printer.flags.width.is_some() {
            self.good_index = false;
        }
    }

    fn precision(&mut self, printer: &mut Printer<'_>, after_index: &mut bool) {
        self.position += 1;
        if *after_index {
            self.good_index = false;
        }
        *after_index = self.index();
        if self.byte() == Some(b'*') {
            self.position += 1;
            match self.integer_value() {
                Some(precision) if precision >= 0 => {
                    printer.flags.precision = Some(precision as usize);
                }
                _ => printer.write("%!(BADPREC)"),
            }
            *after_index = false;
        } else {
            printer.flags.precision = Some(self.number().unwrap_or(0));
        }
    }

    /// An argument index in brackets; true when one was found.
    fn index(&mut self) -> bool {
        if self.byte() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let rest = &self.format[self.position..];
        let (index, width, found) = argument_index(rest);
        self.position += width;
        match index {
            Some(index) if index < self.values.len() => {
                self.next = index;
                true
            }
            _ => {
                self.good_index = false;
                found
            }
        }
    }

    fn number(&mut self) -> Option<usize> {
        let (number, position) = digits(self.format, self.position, self.format.len());
        self.position = position;
        number
    }

    fn integer_value(&mut self) -> Option<i64> {
        let value = self.values.get(self.next)?.clone().unwrapped();
        self.next += 1;
        let number = value.signed().or_else(|| {
            value
                .unsigned()
                .and_then(|number| i64::try_from(number).ok())
        })?;
        (-1_000_000..=1_000_000).contains(&number).then_some(number)
    }

    fn extra_values(&self, printer: &mut Printer<'_>) {
        if self.reordered || self.next >= self.values.len() || printer.bound.is_some() {
            return;
        }
        printer.flags = Flags::default();
        printer.write("%!(EXTRA ");
        for (index, value) in self.values[self.next..].iter().enumerate() {
            if index > 0 {
                printer.write(", ");
            }
            let value = value.clone().unwrapped();
            if matches!(value, Value::Invalid) {
                printer.write("<nil>");
            } else {
                printer.write(value.type_name());
                printer.write("=");
                printer.argument(&value, 'v');
            }
        }
        printer.write(")");
    }
}

/// An index that starts at `[`: its place counted from 0, its width, and whether it is well formed.
fn argument_index(text: &[u8]) -> (Option<usize>, usize, bool) {
    if text.len() < 3 {
        return (None, 1, false);
    }
    let Some(close) = memchr::memchr(b']', text) else {
        return (None, 1, false);
    };
    let (number, end) = digits(text, 1, close);
    match number {
        Some(number) if end == close => (number.checked_sub(1), close + 1, true),
        _ => (None, close + 1, false),
    }
}

/// Decimal digits from `start`; a number that is too large ends the format.
fn digits(text: &[u8], start: usize, end: usize) -> (Option<usize>, usize) {
    let mut number = None;
    let mut position = start;
    while position < end && text[position].is_ascii_digit() {
        let so_far = number.unwrap_or(0);
        if so_far > 1_000_000 {
            return (None, end);
        }
        number = Some(so_far * 10 + usize::from(text[position] - b'0'));
        position += 1;
    }
    (number, position)
}
