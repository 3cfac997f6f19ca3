//! Pipelines, commands and their operands.

use super::functions::{FUNCTIONS, Kind, METHODS, PLAIN_FUNCTIONS, REFUSED, Signature};
use super::grammar::{Dot, Writer};
use super::literals;

impl Writer<'_> {
    /// A pipeline whose value is printed or tested.
    pub(super) fn pipe(&mut self) -> String {
        if self.g.chance(12) {
            return self.printf();
        }
        let kind = self.kind();
        let command = self.command(kind);
        if !self.plain && self.g.chance(6) {
            let next = self.g.pick(&[
                "print",
                "printf \"%v\"",
                "quote",
                "len",
                "toJson",
                "html",
                "upper",
                "kindOf",
                "typeOf",
                "printf \"%q %T\" 1",
                "default 1",
                "and 1",
                "or 0",
                "not",
                "eq 1",
                "index",
                "$",
                ".x",
                "trim | upper",
                "list | join \",\"",
            ]);
            return format!("{command} | {next}");
        }
        command
    }

    fn printf(&mut self) -> String {
        let mut format = String::new();
        let mut arguments = Vec::new();
        for _ in 0..1 + self.g.below(3) {
            format.push_str(self.g.pick(&["", " ", "a", "=", "%%", "\\n", "\u{e9}"]));
            format.push_str(&self.verb());
            if !self.g.chance(5) {
                let kind = self.kind();
                arguments.push(self.operand(kind));
            }
        }
        if !self.plain && self.g.chance(3) {
            format.push_str(
                self.g
                    .pick(&["%", "%-", "%.", "%[", "%[1", "%5", "%*", "% "]),
            );
        }
        format!("printf \"{format}\" {}", arguments.join(" "))
    }

    fn verb(&mut self) -> String {
        if self.plain {
            return self
                .g
                .pick(&["%s", "%v", "%q", "%d", "%-10s", "%5d", "%t", "%.3s"])
                .to_string();
        }
        let mut verb = "%".to_string();
        for _ in 0..self.g.below(3) {
            verb.push_str(self.g.pick(&["+", "-", "#", "0", " ", ""]));
        }
        verb.push_str(self.g.pick(&[
            "", "", "", "5", "12", "*", "[1]", "[2]", "[9]", "[x]", "[2]*", "[0]",
        ]));
        verb.push_str(
            self.g
                .pick(&["", "", "", ".2", ".0", ".10", ".*", ".", ".[1]*", ".[2]3"]),
        );
        verb.push_str(self.g.pick(&[
            "v", "v", "v", "s", "s", "d", "d", "q", "x", "X", "t", "T", "e", "f", "g", "G", "E",
            "F", "b", "o", "O", "c", "U", "z", "!", "w", "\u{e9}",
        ]));
        if self.g.chance(1) {
            verb.pop();
            verb.push('p');
        }
        verb
    }

    /// A function call, a method call or an operand that gives a value of the kind.
    pub(super) fn command(&mut self, kind: Kind) -> String {
        if self.depth > 6 || self.g.chance(35) {
            return self.operand(kind);
        }
        if !self.plain && self.g.chance(5) {
            let fitting: Vec<_> = METHODS
                .iter()
                .filter(|(_, (_, _, result))| fits(*result, kind))
                .collect();
            if !fitting.is_empty() {
                let (receiver, signature) = fitting[self.g.below(fitting.len())];
                return self.method(*receiver, *signature);
            }
        }
        let functions = match () {
            () if self.plain => PLAIN_FUNCTIONS,
            () if self.g.below(300) == 0 => REFUSED,
            () => FUNCTIONS,
        };
        let fitting: Vec<_> = functions
            .iter()
            .filter(|(_, _, result)| fits(*result, kind))
            .collect();
        if fitting.is_empty() {
            return self.operand(kind);
        }
        let (name, parameters, _) = *fitting[self.g.below(fitting.len())];
        let arguments = self.arguments(parameters);
        match arguments.split_last() {
            Some((last, others)) if self.g.chance(35) => {
                format!("{} | {name} {}", last, others.join(" "))
                    .trim_end()
                    .to_string()
            }
            _ => format!("{name} {}", arguments.join(" "))
                .trim_end()
                .to_string(),
        }
    }

    fn arguments(&mut self, parameters: &[Kind]) -> Vec<String> {
        self.depth += 1;
        let mut arguments: Vec<String> = Vec::new();
        for parameter in parameters {
            if *parameter == Kind::Date {
                let (layout, text) = literals::date(self.g);
                arguments.extend([layout, text]);
                continue;
            }
            // Now and then a value of another kind, or one too many or too few.
            let wrong = !self.plain && self.g.chance(3);
            let parameter = if wrong { self.kind() } else { *parameter };
            arguments.push(self.operand(parameter));
        }
        if !self.plain && self.g.chance(1) {
            arguments.pop();
        }
        if !self.plain && self.g.chance(1) {
            let more = self.operand(Kind::Any);
            arguments.push(more);
        }
        self.depth -= 1;
        arguments
    }

    /// A method of a value in parentheses or of a variable; the last argument may come through a pipe.
    fn method(&mut self, receiver: Kind, (name, parameters, _): Signature) -> String {
        let named = self.named(receiver);
        let receiver = match (named.is_empty(), self.g.chance(50)) {
            (false, true) => named[self.g.below(named.len())].clone(),
            _ => {
                self.depth += 1;
                let value = self.value(receiver);
                self.depth -= 1;
                value
            }
        };
        let arguments = self.arguments(parameters);
        match arguments.split_last() {
            Some((last, others)) if self.g.chance(20) => {
                format!("{last} | {receiver}.{name} {}", others.join(" "))
                    .trim_end()
                    .to_string()
            }
            _ => format!("{receiver}.{name} {}", arguments.join(" "))
                .trim_end()
                .to_string(),
        }
    }

    /// The variables of the kind.
    fn named(&self, kind: Kind) -> Vec<String> {
        self.variables
            .iter()
            .filter(|(_, known)| *known == kind || kind == Kind::Any)
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// One word, or a pipeline in parentheses.
    pub(super) fn operand(&mut self, kind: Kind) -> String {
        let reads = kind.is_text() && kind != Kind::Text;
        if self.depth < 5 && self.g.chance(if reads { 5 } else { 22 }) {
            self.depth += 1;
            let command = self.command(if reads { Kind::Text } else { kind });
            self.depth -= 1;
            let field = if !self.plain && self.g.chance(4) {
                self.g
                    .pick(&[".a", ".Name", ".b.c", "._0", ".String", ".host"])
            } else {
                ""
            };
            if !self.plain && self.g.chance(1) {
                let name = self.fresh(kind);
                return format!("({name} := {command}){field}");
            }
            return format!("({command}){field}");
        }
        let named = self.named(kind);
        if !named.is_empty() && self.g.chance(40) {
            let name = named[self.g.below(named.len())].clone();
            let field = if !self.plain && kind == Kind::Any && self.g.chance(15) {
                self.g.pick(&[
                    ".a",
                    ".Kind",
                    ".NewValue",
                    "._1",
                    ".Name",
                    ".x.y",
                    ".String",
                ])
            } else {
                ""
            };
            return name + field;
        }
        self.value(kind)
    }

    fn value(&mut self, kind: Kind) -> String {
        if self.plain && !matches!(kind, Kind::Text | Kind::Any) {
            return match kind {
                Kind::Int => self
                    .g
                    .pick(&["0", "1", "3", "7", "10", "-1", "12"])
                    .to_string(),
                Kind::Bool => self.g.pick(&["true", "false", "(eq 1 1)"]).to_string(),
                _ => self
                    .g
                    .pick(&[
                        "(splitList \",\" \"x,y,,z\")",
                        "$.Changed.Changes",
                        "(splitList \" \" \"b a c\")",
                    ])
                    .to_string(),
            };
        }
        let g = &mut *self.g;
        match kind {
            Kind::Text => self.text_operand(),
            Kind::Any => self.any_operand(),
            Kind::Int if g.chance(6) => "(len .)".into(),
            Kind::Int => literals::int(g),
            Kind::Float => literals::float(g),
            Kind::Bool => g
                .pick(&["true", "false", "true", "(not true)", "(eq 1 1)"])
                .into(),
            Kind::Json => literals::json(g),
            Kind::Pattern => literals::pattern(g),
            Kind::Replacement => literals::replacement(g),
            Kind::VersionText => literals::version(g),
            Kind::Range => literals::range(g),
            Kind::Address => literals::address(g),
            Kind::SpanText => literals::span(g),
            Kind::Path => literals::path(g),
            Kind::Encoded => literals::encoded(g),
            Kind::TypeName => literals::type_name(g),
            Kind::Layout => literals::layout(g),
            Kind::Version => format!("(semver {})", literals::version(g)),
            Kind::Date | Kind::Time => {
                let (layout, text) = literals::date(g);
                format!("(toDate {layout} {text})")
            }
            Kind::Span => g
                .pick(&[
                    "3600000000000",
                    "1",
                    "(int64 5)",
                    "0",
                    "-90000000000",
                    "1500000000",
                    "((toDate \"2006\" \"2024\").Sub (toDate \"2006-01-02\" \"2023-07-01\"))",
                    "((toDate \"15:04:05\" \"12:34:56.789\").Sub (toDate \"15\" \"11\"))",
                    "(toDate \"1\" \"3\").Month",
                ])
                .into(),
            Kind::List => g
                .pick(&[
                    "(list 1 2 3)",
                    "(list \"b\" \"a\" \"c\")",
                    "(splitList \",\" \"x,y,,z\")",
                    "(list)",
                    "(until 4)",
                    "(list 1 \"a\" nil 2.5 true)",
                    "(list (list 1) (dict \"a\" 1))",
                    "$.Changed.Changes",
                    "(splitList \" \" \"b a c\")",
                    "(list \"a\" \"b\" \"a\")",
                    "(fromJson \"[1,\\\"x\\\",null]\")",
                    "(list 1 1.0 \"1\" 1)",
                    "(regexFindAll \"[a-z]\" \"a1b2\" -1)",
                    "(chunk 2 (list 1 2 3))",
                    "(list (dict) (list) \"\" 0 false)",
                    "(list \"\\xff\" \"\u{e9}\")",
                ])
                .into(),
            Kind::Dict => g
                .pick(&[
                    "(dict \"a\" 1 \"b\" \"two\")",
                    "(dict)",
                    "(dict \"a\" (dict \"b\" (dict \"c\" 3)))",
                    "(fromJson \"{\\\"a\\\":[1,2],\\\"b\\\":null}\")",
                    "(dict \"b\" (list 1 2) \"c\" \"\")",
                    "(dict \"k\" nil)",
                    "(dict \"a\" (list) \"b\" (dict) \"c\" 0)",
                    "(dict \"a\" 1.5 \"b\" true \"c\" 1i)",
                    "(urlParse \"http://u:p@h:1/p?q#f\")",
                    "(dict \"scheme\" \"https\" \"host\" \"h\" \"path\" \"/p q\")",
                    "(dict \"a\" (semver \"1.2.3\"))",
                    "(dict \"z\" 1 \"\" 2 \"\u{e9}\" 3)",
                ])
                .into(),
        }
    }

    fn text_operand(&mut self) -> String {
        let field = self.field();
        if self.g.chance(if self.plain { 30 } else { 15 }) && !field.is_empty() {
            return field;
        }
        if self.plain {
            return self
                .g
                .pick(&[
                    "\"prod\"",
                    "\"-\"",
                    "\"a b\"",
                    "$.Values.cluster",
                    "$.AutomationObject.Name",
                    "\"1.2.3\"",
                    "\",\"",
                ])
                .to_string();
        }
        match self.g.below(12) {
            0 => self
                .g
                .pick(&[
                    "$.Values.cluster",
                    "$.Values.missing",
                    "$.AutomationObject.Name",
                    "$.Values.env",
                ])
                .into(),
            1 => match self.g.below(8) {
                0 => literals::pattern(self.g),
                1 => literals::version(self.g),
                2 => literals::address(self.g),
                3 => literals::span(self.g),
                4 => literals::path(self.g),
                5 => literals::json(self.g),
                6 => literals::encoded(self.g),
                _ => literals::type_name(self.g),
            },
            _ => literals::text(self.g),
        }
    }

    fn field(&mut self) -> String {
        let fields: &[&str] = match self.dot {
            Dot::Root => &[
                ".AutomationObject.Name",
                ".AutomationObject.Namespace",
                ".Values.env",
                ".Values.ticket",
            ],
            Dot::Change => &[".OldValue", ".NewValue", ".Setter"],
            Dot::Text => &["."],
            _ => &[""],
        };
        self.g.pick(fields).to_string()
    }

    fn any_operand(&mut self) -> String {
        if self.plain {
            return self
                .g
                .pick(&[
                    ".",
                    "$.AutomationObject",
                    "$.Values",
                    "\"x\"",
                    "3",
                    "$.Changed.Objects",
                    "$.Changed.FileChanges",
                ])
                .to_string();
        }
        match self.g.below(14) {
            0 | 1 => self
                .g
                .pick(&[
                    ".",
                    "$",
                    "$.Changed",
                    "$.Values",
                    "$.AutomationObject",
                    "$.Changed.Objects",
                    "$.Changed.FileChanges",
                    "$.Changed.Changes",
                    "nil",
                    ".Missing",
                    "$.Values.a.b",
                    "$.Updated",
                    "$.Changed.ImageResult",
                    "$.AutomationObject.String",
                    "$.AutomationObject.MarshalLog",
                    "$.Changed.Missing",
                    ".OldValue",
                    ".Kind",
                    ".a.b",
                    "$.Changed.Objects.x",
                    "$.AutomationObject.Name.x",
                    "1i",
                    "1+2i",
                    "(add 9223372036854775807 1)",
                    "(mul 1e6 2.5)",
                    "123456789.25",
                    "(index $.Values \"env\")",
                    "9223372036854775808",
                    "(index \"abc\" 1)",
                    "(semver \"1.2.3\").Major",
                    "hello",
                    "0.0",
                    "(index $.Changed.Changes 0)",
                    "($)",
                    "(toDate \"2006\" \"2024\").Month",
                    "(toDate \"2006\" \"2024\").Weekday",
                    "(toDate \"15\" \"3\").Location",
                    "((semver \"1.0.0\").MarshalText)",
                    "(float64 \"nan\")",
                    "(divf 1 3)",
                    "(float64 \"-inf\")",
                    "(int64 -7)",
                    "-0.0",
                ])
                .to_string(),
            2..5 => self.operand(Kind::Text),
            5..7 => self.operand(Kind::Int),
            7 => self.operand(Kind::Float),
            8 => self.operand(Kind::Bool),
            9 | 10 => self.operand(Kind::List),
            11 => match self.g.below(3) {
                0 => self.value(Kind::Version),
                1 => self.value(Kind::Time),
                _ => self.value(Kind::Span),
            },
            _ => self.operand(Kind::Dict),
        }
    }
}

/// Whether a result of one kind can stand where the other is wanted.
fn fits(result: Kind, wanted: Kind) -> bool {
    wanted == Kind::Any || result == wanted || wanted.is_text() && result == Kind::Text
}
