//! Writes templates from a grammar over the language.

use super::functions::{FUNCTIONS, Kind, PLAIN_FUNCTIONS};
use crate::oracle::generator::Generator;

/// Writes templates.
pub(super) struct Writer<'g> {
    g: &'g mut Generator,
    plain: bool,
    /// The variables in scope with their kinds.
    variables: Vec<(String, Kind)>,
    next_variable: usize,
    depth: usize,
    /// The fields of the dot.
    dot: Dot,
    in_range: bool,
    in_part: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dot {
    Root,
    Change,
    Object,
    Changes,
    Text,
    Unknown,
}

impl<'g> Writer<'g> {
    pub(super) fn new(g: &'g mut Generator, plain: bool) -> Self {
        Writer {
            g,
            plain,
            variables: Vec::new(),
            next_variable: 0,
            depth: 0,
            dot: Dot::Root,
            in_range: false,
            in_part: false,
        }
    }

    pub(super) fn template(mut self) -> String {
        let mut out = String::new();
        if !self.plain && self.g.chance(8) {
            let dot = std::mem::replace(&mut self.dot, Dot::Unknown);
            self.in_part = true;
            let body = self.nodes(2);
            self.in_part = false;
            self.dot = dot;
            self.variables.clear();
            out.push_str(&format!("{{{{define \"part\"}}}}{body}{{{{end}}}}"));
        }
        let count = 1 + self.g.below(4);
        out.push_str(&self.nodes(count));
        if !self.plain && self.g.chance(6) {
            self.broken(out)
        } else {
            out
        }
    }

    /// Cuts, doubles or puts in something, so that the parser has to complain.
    fn broken(&mut self, mut template: String) -> String {
        let places: Vec<usize> = template.char_indices().map(|(place, _)| place).collect();
        let Some(place) = (!places.is_empty()).then(|| places[self.g.below(places.len())]) else {
            return template;
        };
        match self.g.below(4) {
            0 => template.truncate(place),
            1 => template.insert_str(
                place,
                self.g.pick(&[
                    "{{",
                    "}}",
                    "{{end}}",
                    "{{else}}",
                    "\"",
                    "'",
                    "`",
                    "(",
                    ")",
                    "|",
                    ".",
                    "$",
                    "$x",
                    ",",
                    ":=",
                    "=",
                    "{{- ",
                    " -}}",
                    "{{/* a",
                    "*/}}",
                    "\n",
                    "nil",
                    "break",
                    "{{break}}",
                    "{{continue}}",
                    "1e",
                    "0x",
                    "@",
                    "\u{e9}",
                    "{{template \"part\"}}",
                    "{{define \"x\"}}",
                    "now",
                    "#",
                    "1i",
                    "'a'",
                    "\\",
                ]),
            ),
            2 => {
                template.remove(place);
            }
            _ => {
                let tail = template[place..].to_string();
                template.push_str(&tail);
            }
        }
        template
    }

    fn nodes(&mut self, count: usize) -> String {
        let mark = self.variables.len();
        let out = (0..count).map(|_| self.node()).collect();
        self.variables.truncate(mark);
        out
    }

    fn text(&mut self) -> String {
        self.g
            .pick(&[
                "",
                " ",
                "\n",
                "- ",
                ": ",
                "Update\n\n",
                "x ",
                "}} ",
                "\t\n  ",
                "{ ",
                "caf\u{e9} ",
            ])
            .to_string()
    }

    fn braces(&mut self, inside: &str) -> String {
        let left = if self.g.chance(15) { "{{- " } else { "{{" };
        let right = if self.g.chance(15) { " -}}" } else { "}}" };
        let space = if self.g.chance(50) { " " } else { "" };
        format!("{left}{space}{inside}{space}{right}")
    }

    fn node(&mut self) -> String {
        let text = self.text();
        self.depth += 1;
        let choice = if self.depth > 3 { 0 } else { self.g.below(100) };
        let node = match choice {
            0..45 => {
                let pipe = self.pipe();
                self.braces(&pipe)
            }
            45..55 => self.declaration(),
            55..68 => self.branch(),
            68..74 => self.with(),
            74..95 => self.range(),
            95..97 if !self.plain => self
                .braces("/* note */")
                .replace("{{ /*", "{{/*")
                .replace("*/ }}", "*/}}"),
            // Go takes minutes to reach its own bound of a template that calls itself.
            97..98 if !self.plain && !self.in_part => {
                let pipe = self.pipe();
                self.braces(&format!("template \"part\" {pipe}"))
            }
            98..100 if !self.plain && self.in_range => {
                let word = self.g.pick(&["break", "continue"]);
                let condition = self.pipe();
                format!("{{{{if {condition}}}}}{{{{{word}}}}}{{{{end}}}}")
            }
            _ => {
                let pipe = self.pipe();
                self.braces(&pipe)
            }
        };
        self.depth -= 1;
        text + &node
    }

    fn declaration(&mut self) -> String {
        if !self.plain && !self.variables.is_empty() && self.g.chance(40) {
            let name = self.variables[self.g.below(self.variables.len())].0.clone();
            let pipe = self.pipe();
            return self.braces(&format!("{name} = {pipe}"));
        }
        let kind = self.kind();
        let value = self.command(kind);
        let name = format!("$v{}", self.next_variable);
        self.next_variable += 1;
        let out = self.braces(&format!("{name} := {value}"));
        self.variables.push((name, kind));
        out
    }

    fn kind(&mut self) -> Kind {
        let kinds = [
            Kind::Text,
            Kind::Text,
            Kind::Int,
            Kind::Float,
            Kind::Bool,
            Kind::List,
            Kind::Dict,
            Kind::Any,
        ];
        kinds[self.g.below(if self.plain { 3 } else { kinds.len() })]
    }

    fn branch(&mut self) -> String {
        let pipe = self.pipe();
        let body = self.nodes(1);
        let mut out = self.braces(&format!("if {pipe}")) + &body;
        if self.g.chance(20) {
            let pipe = self.pipe();
            let body = self.nodes(1);
            out += &format!("{{{{else if {pipe}}}}}{body}");
        }
        if self.g.chance(50) {
            let body = self.nodes(1);
            out += &(self.braces("else") + &body);
        }
        out + &self.braces("end")
    }

    fn with(&mut self) -> String {
        let (pipe, dot) = match self.g.below(3) {
            0 if self.dot == Dot::Root => (".AutomationObject".to_string(), Dot::Unknown),
            1 if self.dot == Dot::Root => (".Changed".to_string(), Dot::Unknown),
            _ => (self.pipe(), Dot::Unknown),
        };
        let outer = std::mem::replace(&mut self.dot, dot);
        let body = self.nodes(1);
        self.dot = outer;
        let mut out = self.braces(&format!("with {pipe}")) + &body;
        if self.g.chance(30) {
            let body = self.nodes(1);
            out += &(self.braces("else") + &body);
        }
        out + &self.braces("end")
    }

    fn range(&mut self) -> String {
        let source = self.g.below(if self.plain { 5 } else { 8 });
        let (pipe, key, element) = match source {
            0 => ("$.Changed.FileChanges".to_string(), Dot::Text, Dot::Object),
            1 | 2 => ("$.Changed.Objects".to_string(), Dot::Object, Dot::Changes),
            3 => ("$.Changed.Changes".to_string(), Dot::Unknown, Dot::Change),
            4 => ("$.Values".to_string(), Dot::Text, Dot::Text),
            5 => (self.command(Kind::List), Dot::Unknown, Dot::Unknown),
            6 => (self.command(Kind::Dict), Dot::Text, Dot::Unknown),
            _ => (self.command(Kind::Any), Dot::Unknown, Dot::Unknown),
        };
        let mark = self.variables.len();
        let names = match self.g.below(4) {
            0 => String::new(),
            1 => "$e := ".to_string(),
            _ => "$k, $e := ".to_string(),
        };
        let kind_of = |dot| {
            if dot == Dot::Text {
                Kind::Text
            } else {
                Kind::Any
            }
        };
        if names.contains("$k") {
            self.variables.push(("$k".to_string(), kind_of(key)));
        }
        if !names.is_empty() {
            self.variables.push(("$e".to_string(), kind_of(element)));
        }
        let outer = std::mem::replace(&mut self.dot, element);
        let outer_range = std::mem::replace(&mut self.in_range, true);
        let mut body = match (source, names.contains("$k")) {
            (1 | 2, true) => "- {{ $k.Kind }} {{ $k.Name }}\n".to_string(),
            (3, _) => "{{ .OldValue }} -> {{ .NewValue }}".to_string(),
            (0, true) => {
                "{{ $k }}{{ range $o, $c := $e }}{{ $o.Kind }}/{{ $o.Name }}{{ range $c }}{{ .Setter }}{{ end }}{{ end }}"
                    .to_string()
            }
            _ => String::new(),
        };
        if self.g.chance(50) {
            body.clear();
        }
        let count = 1 + self.g.below(2);
        body += &self.nodes(count);
        self.dot = outer;
        self.in_range = outer_range;
        self.variables.truncate(mark);
        let mut out = self.braces(&format!("range {names}{pipe}")) + &body;
        if self.g.chance(20) {
            let body = self.nodes(1);
            out += &(self.braces("else") + &body);
        }
        out + &self.braces("end")
    }

    /// A pipeline whose value is printed or tested.
    fn pipe(&mut self) -> String {
        if self.g.chance(12) {
            return self.printf();
        }
        let kind = self.kind();
        self.command(kind)
    }

    fn printf(&mut self) -> String {
        let mut format = String::new();
        let mut arguments = Vec::new();
        for _ in 0..1 + self.g.below(3) {
            format.push_str(self.g.pick(&["", " ", "a", "=", "%%"]));
            format.push_str(&self.verb());
            if !self.g.chance(7) {
                let kind = self.kind();
                arguments.push(self.operand(kind));
            }
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
        verb.push_str(
            self.g
                .pick(&["", "", "", "5", "12", "*", "[1]", "[2]", "[9]", "[x]"]),
        );
        verb.push_str(
            self.g
                .pick(&["", "", "", ".2", ".0", ".10", ".*", ".", ".[1]*"]),
        );
        verb.push_str(self.g.pick(&[
            "v", "v", "v", "s", "s", "d", "d", "q", "x", "X", "t", "T", "e", "f", "g", "G", "E",
            "F", "b", "o", "O", "c", "U", "z", "!", "w", "\u{e9}",
        ]));
        verb
    }

    /// A function call or an operand that gives a value of the kind.
    fn command(&mut self, kind: Kind) -> String {
        if self.depth > 6 || self.g.chance(35) {
            return self.operand(kind);
        }
        let functions = if self.plain {
            PLAIN_FUNCTIONS
        } else {
            FUNCTIONS
        };
        let fitting: Vec<_> = functions
            .iter()
            .filter(|(_, _, result)| kind == Kind::Any || *result == kind)
            .collect();
        if fitting.is_empty() {
            return self.operand(kind);
        }
        let (name, parameters, _) = fitting[self.g.below(fitting.len())];
        self.depth += 1;
        let mut arguments: Vec<String> = Vec::new();
        for parameter in *parameters {
            // Now and then a value of another kind, or one too many or too few.
            let wrong = !self.plain && self.g.chance(6);
            let parameter = if wrong { self.kind() } else { *parameter };
            arguments.push(self.operand(parameter));
        }
        if !self.plain && self.g.chance(2) {
            arguments.pop();
        }
        if !self.plain && self.g.chance(2) {
            let more = self.operand(Kind::Any);
            arguments.push(more);
        }
        self.depth -= 1;
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

    /// One word, or a pipeline in parentheses.
    fn operand(&mut self, kind: Kind) -> String {
        if self.depth < 5 && self.g.chance(22) && kind != Kind::Json {
            self.depth += 1;
            let command = self.command(kind);
            self.depth -= 1;
            let field = if !self.plain && self.g.chance(4) {
                self.g.pick(&[".a", ".Name", ".b.c", "._0"])
            } else {
                ""
            };
            return format!("({command}){field}");
        }
        let named: Vec<String> = self
            .variables
            .iter()
            .filter(|(_, known)| *known == kind || kind == Kind::Any)
            .map(|(name, _)| name.clone())
            .collect();
        if !named.is_empty() && self.g.chance(40) {
            return named[self.g.below(named.len())].clone();
        }
        match kind {
            Kind::Text => self.text_operand(),
            Kind::Int => self
                .g
                .pick(&[
                    "0", "1", "2", "3", "5", "7", "10", "-1", "-3", "12", "100", "0x1F", "'a'",
                    "0b101", "0o17", "1_000", "(len .)", "1e2",
                ])
                .to_string(),
            Kind::Float => self
                .g
                .pick(&[
                    "0.1",
                    "1.5",
                    "-2.75",
                    "3.0",
                    "1e3",
                    "1e-7",
                    "12345.125",
                    "1e21",
                    "0.5",
                    "2.5",
                    "100.0",
                    "1.0e100",
                    "0x1p4",
                    "2",
                    "1e4",
                ])
                .to_string(),
            Kind::Bool => self
                .g
                .pick(&["true", "false", "true", "(not true)", "(eq 1 1)"])
                .to_string(),
            Kind::List => self
                .g
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
                ])
                .to_string(),
            Kind::Dict => self
                .g
                .pick(&[
                    "(dict \"a\" 1 \"b\" \"two\")",
                    "(dict)",
                    "(dict \"a\" (dict \"b\" (dict \"c\" 3)))",
                    "(fromJson \"{\\\"a\\\":[1,2],\\\"b\\\":null}\")",
                    "(dict \"b\" (list 1 2) \"c\" \"\")",
                    "(dict \"k\" nil)",
                ])
                .to_string(),
            Kind::Json => self
                .g
                .pick(&[
                    "`{\"a\":1,\"b\":[true,null,\"x\"]}`",
                    "`[1,2.5,\"a\"]`",
                    "`{\"a\":`",
                    "`nul`",
                    "`12e`",
                    "`\"\\u00e9\\ud83d\"`",
                    "`[1 2]`",
                    "`{1:2}`",
                    "``",
                    "`1e999`",
                    "`{\"a\":{\"b\":{\"c\":\"<&>\"}}}`",
                    "`-`",
                    "`\"\t\"`",
                    "`tru `",
                    "`[1,]`",
                    "`{\"a\" 1}`",
                    "`{} x`",
                    "`1.x`",
                    "`\"\\q\"`",
                    "`\"\\u12g\"`",
                ])
                .to_string(),
            Kind::Any => self.any_operand(),
        }
    }

    fn text_operand(&mut self) -> String {
        let field = self.field();
        if self.g.chance(30) && !field.is_empty() {
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
        self.g
            .pick(&[
                "\"hello world\"",
                "\"\"",
                "\"a,b,c\"",
                "\"FooBar_baz-qux\"",
                "\"caf\\u00e9 \\u00c9T\\u00c9\"",
                "`raw \\n`",
                "\"-\"",
                "\",\"",
                "\" \"",
                "\"a\"",
                "\"b\"",
                "\"c\"",
                "\"line\\nline two\"",
                "\"1.2.3\"",
                "\"42\"",
                "\"0x1f\"",
                "\"3.14\"",
                "\"/a/b/../c.txt\"",
                "\"The quick brown fox jumps over the lazy dog\"",
                "\"HTTPServer2Go\"",
                "\"aGVsbG8=\"",
                "\"NBSWY3DP\"",
                "\"string\"",
                "\"<a href='x'>&\"",
                "\"\\xff\\xfe\"",
                "\"\\u4e16\\u754c\"",
                "\"  padded\\t\"",
                "\"int\"",
                "\"map\"",
                "$.Values.cluster",
                "$.Values.missing",
                "$.AutomationObject.Name",
                "\"nan\"",
                "\"5.00\"",
                "\"-7\"",
                "\"ABC\"",
                "\"abcABC123\"",
                "\"[a-z]+\"",
                "`(\\w+) (\\w+)`",
                "\"$2 ${1}x\"",
                "\"a(b\"",
                "\"v1.2.3-rc.1+meta\"",
                "\">=1.0.0 <2.0.0\"",
                "\"~1.2 || ^3\"",
                "\"https://user:p%40ss@example.com:8080/a%20b?q=1#frag\"",
                "\"//host/path\"",
                "\"mailto:x@y.z\"",
                "\"1h30m\"",
                "\"95\"",
                "\"9000h\"",
                "\"http://[::1]:80/x\"",
                "\":bad\"",
                "\"%zz\"",
                "\"x*\"",
            ])
            .to_string()
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
        match self.g.below(12) {
            0 => self
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
                ])
                .to_string(),
            1..4 => self.operand(Kind::Text),
            4..6 => self.operand(Kind::Int),
            6 => self.operand(Kind::Float),
            7 => self.operand(Kind::Bool),
            8..10 => self.operand(Kind::List),
            _ => self.operand(Kind::Dict),
        }
    }
}
