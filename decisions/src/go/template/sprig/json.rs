//! Values as JSON.

use super::arguments::text;
use super::encoding::base_64;
use super::json_reader::read;
use crate::go::template::characters::decode;
use crate::go::template::function::{Fault, Function, Outcome, fixed};
use crate::go::template::limits::{Bound, Limits};
use crate::go::template::number::format_float;
use crate::go::template::value::{Struct, Type, Value};

const ANY: Type = Type::Any;
const TEXT: Type = Type::String;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("toJson", &[ANY], TEXT, |limits, values| {
        or_nothing(written(limits, &values[0], true, false))
    }),
    fixed("mustToJson", &[ANY], TEXT, |limits, values| {
        written(limits, &values[0], true, false).map(Value::text)
    }),
    fixed("toPrettyJson", &[ANY], TEXT, |limits, values| {
        or_nothing(written(limits, &values[0], true, true))
    }),
    fixed("mustToPrettyJson", &[ANY], TEXT, |limits, values| {
        written(limits, &values[0], true, true).map(Value::text)
    }),
    fixed("toRawJson", &[ANY], TEXT, |limits, values| {
        written(limits, &values[0], false, false).map(Value::text)
    }),
    fixed("mustToRawJson", &[ANY], TEXT, |limits, values| {
        written(limits, &values[0], false, false).map(Value::text)
    }),
    fixed("fromJson", &[TEXT], ANY, |limits, values| {
        Ok(read(limits, &text(&values, 0))?.0)
    }),
    fixed("mustFromJson", &[TEXT], ANY, |limits, values| {
        match read(limits, &text(&values, 0))? {
            (value, None) => Ok(value),
            (_, Some(error)) => Err(error.into()),
        }
    }),
];

/// Go's text for nothing where the value can't be written.
fn or_nothing(text: Result<String, Fault>) -> Outcome {
    match text {
        Err(Fault::Error(_)) => Ok(Value::text("")),
        text => text.map(Value::text),
    }
}

fn written(
    limits: &mut Limits,
    value: &Value,
    escapes_html: bool,
    indented: bool,
) -> Result<String, Fault> {
    let mut writer = Writer {
        out: String::new(),
        limits,
        escapes_html,
        indented,
        depth: 0,
    };
    writer.value(value)?;
    Ok(writer.out)
}

struct Writer<'l> {
    out: String,
    limits: &'l mut Limits,
    escapes_html: bool,
    indented: bool,
    depth: usize,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value) -> Result<(), Fault> {
        if self.out.len() > self.limits.output {
            return Err(Bound::Output.into());
        }
        match value {
            Value::Invalid | Value::Pointer(_, None) => self.out.push_str("null"),
            Value::Interface(inner) => self.value(inner)?,
            Value::Bool(truth) => self.out.push_str(if *truth { "true" } else { "false" }),
            Value::Float64(number) => self.float(*number)?,
            Value::Complex128(..) => return Err(unsupported(value)),
            Value::String(text) => self.text(text),
            Value::List(list) if list.items.is_none() => self.out.push_str("null"),
            Value::List(list) if matches!(list.kind.element, Type::Uint8) => {
                let bytes = value.as_bytes().unwrap_or_default();
                self.out.push('"');
                self.out
                    .push_str(&String::from_utf8_lossy(&base_64(&bytes)));
                self.out.push('"');
            }
            Value::List(list) => {
                let items = list.snapshot();
                self.nested(b"[]", items, |writer, item| writer.value(&item))?;
            }
            Value::Map(map) if !matches!(map.kind.key, Type::String) => {
                return Err(unsupported(value));
            }
            Value::Map(map) if map.entries.is_none() => self.out.push_str("null"),
            Value::Map(map) => {
                let entries = map.snapshot();
                self.nested(b"{}", entries, |writer, (key, value)| {
                    if let Value::String(key) = &key {
                        writer.name(key);
                    }
                    writer.value(&value)
                })?;
            }
            Value::Struct(structure) | Value::Pointer(_, Some(structure)) => {
                if let Some(json) = structure.kind.json {
                    let json = json(structure).map_err(|why| {
                        let name = value.type_name();
                        format!("json: error calling MarshalJSON for type {name}: {why}")
                    })?;
                    self.out.push_str(&json);
                    return Ok(());
                }
                let fields = fields_of(structure);
                self.nested(b"{}", fields, |writer, (name, value)| {
                    writer.name(name.as_bytes());
                    writer.value(&value)
                })?;
            }
            other => {
                let number = other.signed().map(|number| number.to_string());
                let number = number.or_else(|| other.unsigned().map(|number| number.to_string()));
                self.out.push_str(&number.unwrap_or_default());
            }
        }
        Ok(())
    }

    fn name(&mut self, name: &[u8]) {
        self.text(name);
        self.out.push_str(if self.indented { ": " } else { ":" });
    }

    fn nested<T>(
        &mut self,
        braces: &[u8; 2],
        items: Vec<T>,
        write: impl Fn(&mut Self, T) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.limits.spend(items.len() + 1)?;
        self.depth += 1;
        if self.depth > self.limits.depth {
            return Err(Bound::Depth.into());
        }
        let is_empty = items.is_empty();
        self.out.push(char::from(braces[0]));
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.new_line(self.depth);
            write(self, item)?;
        }
        self.depth -= 1;
        if !is_empty {
            self.new_line(self.depth);
        }
        self.out.push(char::from(braces[1]));
        Ok(())
    }

    fn new_line(&mut self, depth: usize) {
        if self.indented {
            self.out.push('\n');
            self.out.extend((0..depth).map(|_| "  "));
        }
    }

    fn float(&mut self, number: f64) -> Result<(), Fault> {
        if !number.is_finite() {
            let shown = format_float(number, 'g', None);
            return Err(format!("json: unsupported value: {shown}").into());
        }
        let magnitude = number.abs();
        let scientific = magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude);
        let mut text = format_float(number, if scientific { 'e' } else { 'f' }, None);
        if let Some(head) = text.strip_suffix(|digit: char| digit.is_ascii_digit())
            && head.ends_with("e-0")
        {
            text = format!("{}{}", &head[..head.len() - 1], &text[head.len()..]);
        }
        self.out.push_str(&text);
        Ok(())
    }

    fn text(&mut self, text: &[u8]) {
        self.out.push('"');
        let mut rest = text;
        while let Some((character, width)) = decode(rest) {
            match character {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                '<' | '>' | '&' if self.escapes_html => self.escape(character),
                '\0'..='\u{1f}' | '\u{2028}' | '\u{2029}' => self.escape(character),
                char::REPLACEMENT_CHARACTER if width == 1 => self.escape(character),
                other => self.out.push(other),
            }
            rest = &rest[width..];
        }
        self.out.push('"');
    }

    fn escape(&mut self, character: char) {
        self.out.push_str(&format!("\\u{:04x}", character as u32));
    }
}

fn unsupported(value: &Value) -> Fault {
    format!("json: unsupported type: {}", value.type_name()).into()
}

/// The fields that JSON shows, those of embedded structs among them.
fn fields_of(structure: &Struct) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    for (field, value) in structure.kind.fields.iter().zip(&structure.fields) {
        match value {
            Value::Struct(inner) if field.embedded => out.extend(fields_of(inner)),
            _ if !field.name.starts_with(char::is_uppercase) => {}
            value if field.omit_empty && !value.truth() => {}
            value => out.push((field.json.unwrap_or(field.name).to_string(), value.clone())),
        }
    }
    out
}
