//! Values in Go's syntax (`%#v`), as the library's complaints show them.

use super::{Value, Values};
use crate::go::text::quote_bytes;
use crate::go::time::{Time, Zone};

/// Deeper values are left out.
const DEEPEST: usize = 100;
/// So many bytes are shown, and the value in which they end.
const LONGEST: usize = 1 << 16;

impl Values<'_> {
    /// A value in Go's syntax.
    pub(super) fn shown(&self, value: Value) -> String {
        let mut out = String::new();
        self.show(value, DEEPEST, &mut out);
        out
    }

    fn show(&self, value: Value, depth: usize, out: &mut String) {
        let Some(below) = depth.checked_sub(1).filter(|_| out.len() < LONGEST) else {
            out.push_str("...");
            return;
        };
        match value {
            Value::Null => out.push_str("interface {}(nil)"),
            Value::Bool(value) => out.push_str(&value.to_string()),
            Value::Int(number) => out.push_str(&number.to_string()),
            Value::Uint(number) => out.push_str(&format!("{number:#x}")),
            Value::Float(number) => out.push_str(&float(number)),
            Value::Text(_) | Value::Binary(_) => out.push_str(&quote_bytes(self.text(value))),
            Value::Time(number) => out.push_str(&time(self.time(number))),
            Value::List(number) => {
                out.push_str("[]interface {}{");
                for (at, item) in self.list(number).iter().enumerate() {
                    out.push_str(if at > 0 { ", " } else { "" });
                    self.show(*item, below, out);
                }
                out.push('}');
            }
            Value::Map(number) => {
                let map = self.map(number);
                out.push_str(if map.has_only_texts {
                    "map[string]interface {}{"
                } else {
                    "map[interface {}]interface {}{"
                });
                for (at, number) in self.in_order(map).into_iter().enumerate() {
                    let (key, value) = map.fields[number as usize];
                    out.push_str(if at > 0 { ", " } else { "" });
                    self.show(key, below, out);
                    out.push(':');
                    self.show(value, below, out);
                }
                out.push('}');
            }
        }
    }
}

/// The shortest digits, with an exponent from the seventh digit on.
fn float(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return number.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

fn time(value: &Time) -> String {
    const MONTHS: [&str; 12] = crate::go::time::MONTHS;
    let date = value.date();
    let [hour, minute, second] = value.clock();
    let zone = match &value.zone {
        Zone::Utc => "time.UTC".to_owned(),
        Zone::Local => "time.Local".to_owned(),
        Zone::Fixed { name, .. } => format!("time.Location({})", quote_bytes(name.as_bytes())),
    };
    let month = usize::try_from(date.month - 1)
        .ok()
        .and_then(|at| MONTHS.get(at));
    format!(
        "time.Date({}, time.{}, {}, {hour}, {minute}, {second}, {}, {zone})",
        date.year,
        month.unwrap_or(&""),
        date.day,
        value.nanosecond
    )
}
