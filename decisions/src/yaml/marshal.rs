//! An object as JSON, as kyaml 0.21.1 writes it where a file is named `.json` and holds nothing else: `kio/byteio_writer.go` and
//! `yaml/rnode.go`. The object is written as YAML, that is read again into values of any types, and those are written by
//! `encoding/json`: what contradicts its tag, or has no form in JSON, fails only then.

use super::composer::compose;
use super::resource::Object;
use super::text::check;
use super::tree::Tree;
use super::values::{Map, Value, Values};
use crate::go::json;

/// What Go puts before each failure.
const FAILED: &str = "json: error calling MarshalJSON for type *yaml.RNode: ";

/// Deeper JSON is refused by Go's scanner.
const DEEPEST: usize = 10_000;

/// The object as a text of JSON with a line end.
///
/// # Errors
///
/// The libraries' text: the object can't be read again, contradicts its tags, or has no form in JSON. And text of this program where
/// the JSON would be far larger than the YAML.
pub(super) fn to_json(object: &Object<'_>) -> Result<String, String> {
    let text = object.text();
    written(&text).map_err(|problem| format!("{FAILED}{problem}"))
}

fn written(text: &str) -> Result<String, String> {
    let source = check(text.as_bytes());
    let mut tree = Tree::default();
    let document = compose(&source, 0, &mut tree).map_err(|error| {
        let problem = error.problem;
        match error.line {
            _ if problem.starts_with("unknown anchor") => format!("yaml: {problem}"),
            line => format!("yaml: line {line}: {problem}"),
        }
    })?;
    let Some(document) = document else {
        return Ok("{}\n".to_owned());
    };
    let values = Values::of_root(tree.view(&document, &source.text))?;
    let mut writer = Writer {
        values: &values,
        out: String::with_capacity(text.len()),
        most: 12 * text.len() + (16 << 20),
        open: Vec::new(),
    };
    writer.run(values.root())?;
    writer.out.push('\n');
    Ok(writer.out)
}

/// A list or mapping of which so much is still to be written.
enum Open<'v> {
    List(std::slice::Iter<'v, Value>),
    /// With the numbers of its fields.
    Map(&'v Map, std::vec::IntoIter<u32>),
}

struct Writer<'v, 't> {
    values: &'v Values<'t>,
    out: String,
    /// The most bytes.
    most: usize,
    open: Vec<Open<'v>>,
}

impl<'v> Writer<'v, '_> {
    fn run(&mut self, root: Value) -> Result<(), String> {
        self.value(root)?;
        while let Some(mut open) = self.open.pop() {
            let (close, next) = match &mut open {
                Open::List(items) => (']', items.next().map(|item| (None, *item))),
                Open::Map(map, numbers) => {
                    let next = numbers.next().map(|number| map.fields[number as usize]);
                    ('}', next.map(|(key, value)| (Some(key), value)))
                }
            };
            let Some((key, value)) = next else {
                self.new_line();
                self.out.push(close);
                continue;
            };
            self.open.push(open);
            if !self.out.ends_with(['{', '[']) {
                self.out.push(',');
            }
            self.new_line();
            if let Some(key) = key {
                json::push_bytes(&mut self.out, self.values.text(key));
                self.out.push_str(": ");
            }
            self.value(value)?;
        }
        Ok(())
    }

    fn new_line(&mut self) {
        self.out.push('\n');
        self.out.extend(self.open.iter().map(|_| "  "));
    }

    fn value(&mut self, value: Value) -> Result<(), String> {
        if self.out.len() > self.most {
            return Err("the object is too large as JSON".to_owned());
        }
        match value {
            Value::Null => self.out.push_str("null"),
            Value::Bool(value) => self.out.push_str(if value { "true" } else { "false" }),
            Value::Int(number) => self.out.push_str(&number.to_string()),
            Value::Uint(number) => self.out.push_str(&number.to_string()),
            Value::Float(number) => {
                let text = json::float(number)
                    .map_err(|shown| format!("json: unsupported value: {shown}"))?;
                self.out.push_str(&text);
            }
            Value::Text(_) | Value::Binary(_) => {
                json::push_bytes(&mut self.out, self.values.text(value));
            }
            Value::Time(number) => {
                let time = self.values.time(number);
                let text = time.format(b"2006-01-02T15:04:05.999999999Z07:00");
                if time.zone.offset().abs() >= 24 * 3600 {
                    return Err("json: error calling MarshalJSON for type time.Time: Time.MarshalJSON: timezone hour outside of range [0,23]".to_owned());
                }
                json::push_bytes(&mut self.out, &text);
            }
            Value::List(number) => {
                let items = self.values.list(number);
                self.enter('[', ']', items.is_empty(), || Open::List(items.iter()))?;
            }
            Value::Map(number) => {
                let map: &'v Map = self.values.map(number);
                if !map.has_only_texts {
                    return Err("json: unsupported type: map[interface {}]interface {}".to_owned());
                }
                let fields = self.values.in_order(map);
                self.enter('{', '}', fields.is_empty(), || {
                    Open::Map(map, fields.into_iter())
                })?;
            }
        }
        Ok(())
    }

    fn enter(
        &mut self,
        brace: char,
        close: char,
        is_empty: bool,
        open: impl FnOnce() -> Open<'v>,
    ) -> Result<(), String> {
        if self.open.len() >= DEEPEST {
            return Err(format!("invalid character '{brace}' exceeded max depth"));
        }
        self.out.push(brace);
        if is_empty {
            self.out.push(close);
        } else {
            self.open.push(open());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::written;

    fn failure(text: &str) -> String {
        written(text).unwrap_err()
    }

    #[test]
    fn values_are_written_by_their_types() {
        let text = "b: [1, 0x1F, 010, 1_000, 18446744073709551615, 1.50, 1e21, .5_0, -0.0]\n\
            a: [yes, true, ~, null, '1', !!str 1, !local 1, \"<\\u2028>\", !!binary /w==]\n\
            t: [2024-1-2, 2024-01-02t03:04:05.120+01:00]\ne: {}\nl: []\n1: x\n~: gone\n";
        let expected = r#"{
  "1": "x",
  "a": [
    "yes",
    true,
    null,
    null,
    "1",
    "1",
    "1",
    "\u003c\u2028\u003e",
    "\ufffd"
  ],
  "b": [
    1,
    31,
    8,
    1000,
    18446744073709551615,
    1.5,
    1e+21,
    0.5,
    -0
  ],
  "e": {},
  "l": [],
  "t": [
    "2024-01-02T00:00:00Z",
    "2024-01-02T03:04:05.12+01:00"
  ]
}
"#;
        assert_eq!(written(text).unwrap(), expected);
    }

    #[test]
    fn own_keys_win_over_merged_ones_and_earlier_over_later() {
        let text = "a: &a {x: 1, y: 2}\nb:\n  y: 3\n  <<: [*a, {x: 4, z: 5}]\n";
        let made = written(text).unwrap();
        let of_b = &made[made.find("\"b\"").unwrap()..];
        let compact: String = of_b.split_whitespace().collect();
        assert_eq!(compact, r#""b":{"x":1,"y":3,"z":5}}"#);
    }

    #[test]
    fn failures_have_the_words_of_the_libraries() {
        for (text, told) in [
            ("a: !!int x\n", "yaml: cannot decode !!str `x` as a !!int"),
            (
                "a: !!binary x\n",
                "yaml: !!binary value contains invalid base64 data",
            ),
            ("a: .nan\n", "json: unsupported value: NaN"),
            (
                "a: {1: x}\n",
                "json: unsupported type: map[interface {}]interface {}",
            ),
            (
                "a: {? [1, ~, x] : y}\n",
                "yaml: invalid map key: []interface {}{1, interface {}(nil), \"x\"}",
            ),
            (
                "a: 1\nb: {c: 1, c: 2}\n'a': 2\n",
                "yaml: unmarshal errors:\n  line 3: mapping key \"a\" already defined at line 1",
            ),
            (
                "? [a]\n: 1\n",
                "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into string",
            ),
            ("a: *x\n", "yaml: unknown anchor 'x' referenced"),
            ("a: &x [*x]\n", "yaml: anchor 'x' value contains itself"),
            (
                "<<: 1\n",
                "yaml: map merge requires map or sequence of maps as the value",
            ),
            (
                "a: 2024-01-01T00:00:00+24:00\n",
                "json: error calling MarshalJSON for type time.Time: Time.MarshalJSON: timezone hour outside of range [0,23]",
            ),
        ] {
            assert_eq!(failure(text), told, "{text}");
        }
    }

    #[test]
    fn hostile_texts_end_in_a_result() {
        let run = || {
            let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
            for number in 1..9 {
                let last = format!("*a{}, ", number - 1).repeat(9);
                bomb += &format!("a{number}: &a{number} [{last}]\n");
            }
            assert_eq!(failure(&bomb), "yaml: document contains excessive aliasing");
            let deep = |depth: usize| format!("a: {}{}\n", "[".repeat(depth), "]".repeat(depth));
            assert!(written(&deep(2_000)).is_ok());
            assert_eq!(failure(&deep(9_000)), "the object is too large as JSON");
            let mut chain = format!("a0: &a0 {}\n", deep(4_000).split_off(3));
            for number in 1..4 {
                let inside = format!("[*a{}]", number - 1);
                let (open, close) = ("[".repeat(3_000), "]".repeat(3_000));
                chain += &format!("a{number}: &a{number} {open}{inside}{close}\n");
            }
            assert!(written(&chain).is_err());
            let repeated = "a: 1\n".repeat(100_000);
            assert!(failure(&repeated).len() < 100_000);
            let long = format!(
                "a: &a {}\nb: [{}]\n",
                "x".repeat(1 << 20),
                "*a, ".repeat(500)
            );
            assert_eq!(failure(&long), "the object is too large as JSON");
        };
        let small = std::thread::Builder::new().stack_size(256 * 1024);
        small.spawn(run).unwrap().join().unwrap();
    }
}
