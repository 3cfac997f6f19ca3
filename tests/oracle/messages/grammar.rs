//! Writes templates from a grammar over the language: the controls; [`super::expressions`] has the pipelines.

use super::functions::Kind;
use crate::oracle::generator::Generator;

/// Writes a template.
pub(super) struct Writer<'g> {
    pub(super) g: &'g mut Generator,
    /// Fields, `range`, `if`, `with`, `printf` and the common functions on texts only.
    pub(super) plain: bool,
    /// The variables in scope with their kinds.
    pub(super) variables: Vec<(String, Kind)>,
    next_variable: usize,
    pub(super) depth: usize,
    /// The fields of the dot.
    pub(super) dot: Dot,
    in_range: bool,
    /// The templates that may be called here; one that calls itself would not end.
    callable: Vec<&'static str>,
}

/// What the dot is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dot {
    Root,
    Change,
    Object,
    Changes,
    Text,
    Unknown,
}

const PARTS: &[&str] = &["part", "a part", "p\u{e9}"];

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
            callable: Vec::new(),
        }
    }

    /// A template. Of the pieces that `renders` says no to most are written anew, so that not nearly all templates end at
    /// their first mistake.
    pub(super) fn template(mut self, renders: impl Fn(&str) -> bool) -> String {
        let mut parts = String::new();
        if !self.plain && self.g.chance(12) {
            for _ in 0..1 + self.g.below(2) {
                parts += &self.definition();
            }
        }
        let mut out = String::new();
        for _ in 0..1 + self.g.below(4) {
            let mark = self.variables.len();
            let mut piece = self.node();
            for _ in 0..5 {
                if self.g.chance(7) || renders(&format!("{parts}{out}{piece}")) {
                    break;
                }
                self.variables.truncate(mark);
                piece = self.node();
            }
            out += &piece;
        }
        let out = match self.g.chance(30) {
            true => out + &parts,
            false => parts + &out,
        };
        if !self.plain && self.g.chance(4) {
            self.broken(out)
        } else {
            out
        }
    }

    /// A `define`; the parts that are defined later may call it.
    fn definition(&mut self) -> String {
        let dot = std::mem::replace(&mut self.dot, Dot::Unknown);
        let name = PARTS[self.callable.len().min(PARTS.len() - 1)];
        let body = match self.g.below(10) {
            0 => " \n".to_string(),
            1 => "{{.}}{{if gt (int .) 0}}{{template \"NAME\" (sub (int .) 1)}}{{end}}"
                .replace("NAME", name),
            _ => {
                let count = 1 + self.g.below(2);
                self.nodes(count)
            }
        };
        self.dot = dot;
        self.variables.clear();
        self.callable.push(name);
        let quoted = self.name(name);
        self.braces(&format!("define {quoted}")) + &body + &self.braces("end")
    }

    fn name(&mut self, name: &str) -> String {
        match self.g.chance(20) {
            true => format!("`{name}`"),
            false => format!("\"{name}\""),
        }
    }

    /// Cuts, doubles or puts in something, so that the parser has to complain.
    fn broken(&mut self, template: String) -> String {
        super::mutation::damaged(self.g, template)
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
                "\r\n",
                "-}} ",
                "{",
                "\u{feff}",
                "\u{a0}\n",
            ])
            .to_string()
    }

    fn braces(&mut self, inside: &str) -> String {
        let left = match self.g.below(100) {
            0..12 => "{{- ",
            12..15 => "{{-\n\t",
            _ => "{{",
        };
        let right = match self.g.below(100) {
            0..12 => " -}}",
            12..15 => "\n-}}",
            _ => "}}",
        };
        let space = match self.g.below(20) {
            0..11 => " ",
            11 if !self.plain => "\n  ",
            12 if !self.plain => "\t",
            _ => "",
        };
        format!("{left}{space}{inside}{space}{right}")
    }

    fn node(&mut self) -> String {
        let text = self.text();
        self.depth += 1;
        let choice = if self.depth > 3 {
            self.g.below(44)
        } else {
            self.g.below(100)
        };
        let node = match choice {
            0..38 => self.action(),
            38..50 => self.declaration(),
            50..62 => self.branch(),
            62..69 => self.with(),
            69..88 => self.range(),
            88..90 if !self.plain => self.comment(),
            90..94 if !self.plain => self.call(),
            94..95 if !self.plain => self.block(),
            95..98 if !self.plain && self.in_range => {
                let word = self.g.pick(&["break", "continue"]);
                let condition = self.pipe();
                format!("{{{{if {condition}}}}}{{{{{word}}}}}{{{{end}}}}")
            }
            98..99 if !self.plain => {
                let word = self.g.pick(&["break", "continue"]).to_string();
                self.braces(&word)
            }
            _ => self.action(),
        };
        self.depth -= 1;
        text + &node
    }

    fn action(&mut self) -> String {
        let pipe = self.pipe();
        self.braces(&pipe)
    }

    fn comment(&mut self) -> String {
        let note = self
            .g
            .pick(&["note", "", "a\nb", "* /", "}} {{", "- ", "\u{e9}"]);
        let left = self.g.pick(&["{{", "{{- ", "{{-\n"]);
        let right = self.g.pick(&["}}", " -}}", "\n-}}"]);
        format!("{left}/*{note}*/{right}")
    }

    /// `template`: of a part, or now and then of one that isn't there.
    fn call(&mut self) -> String {
        let name = match self.callable.is_empty() || self.g.chance(8) {
            true => "missing",
            false => self.callable[self.g.below(self.callable.len())],
        };
        let name = self.name(name);
        let pipe = match self.g.below(5) {
            0 => String::new(),
            1 => format!(" {}", self.g.pick(&["3", "$", ".", "2.5"])),
            _ => format!(" {}", self.pipe()),
        };
        self.braces(&format!("template {name}{pipe}"))
    }

    fn block(&mut self) -> String {
        let pipe = self.pipe();
        let dot = std::mem::replace(&mut self.dot, Dot::Unknown);
        let variables = std::mem::take(&mut self.variables);
        let in_range = std::mem::replace(&mut self.in_range, false);
        let body = self.nodes(1);
        self.in_range = in_range;
        self.variables = variables;
        self.dot = dot;
        let name = self.g.pick(&["block", "block", "part", "b2"]).to_string();
        self.braces(&format!("block \"{name}\" {pipe}")) + &body + &self.braces("end")
    }

    fn declaration(&mut self) -> String {
        if !self.plain && !self.variables.is_empty() && self.g.chance(40) {
            let name = self.variables[self.g.below(self.variables.len())].0.clone();
            let pipe = self.pipe();
            return self.braces(&format!("{name} = {pipe}"));
        }
        let kind = self.kind();
        let value = self.command(kind);
        let name = self.fresh(kind);
        self.braces(&format!("{name} := {value}"))
    }

    /// The name of a new variable of the kind.
    pub(super) fn fresh(&mut self, kind: Kind) -> String {
        let name = match !self.plain && self.g.chance(3) {
            true => self.g.pick(&["$x", "$\u{e9}1", "$_"]).to_string(),
            false => format!("$v{}", self.next_variable),
        };
        self.next_variable += 1;
        self.variables.push((name.clone(), kind));
        name
    }

    pub(super) fn kind(&mut self) -> Kind {
        if self.plain {
            return [Kind::Text, Kind::Text, Kind::Int][self.g.below(3)];
        }
        match self.g.below(24) {
            0..7 => Kind::Text,
            7..10 => Kind::Int,
            10..12 => Kind::Float,
            12..14 => Kind::Bool,
            14..17 => Kind::List,
            17..20 => Kind::Dict,
            20 => Kind::Version,
            21 => Kind::Time,
            _ => Kind::Any,
        }
    }

    /// The pipeline of a control, which may set a variable.
    fn condition(&mut self) -> String {
        if !self.plain && self.g.chance(8) {
            let kind = self.kind();
            let value = self.command(kind);
            let name = self.fresh(kind);
            return format!("{name} := {value}");
        }
        match self.g.chance(40) {
            true => self.command(Kind::Bool),
            false => self.pipe(),
        }
    }

    fn branch(&mut self) -> String {
        let mark = self.variables.len();
        let condition = self.condition();
        let body = self.nodes(1);
        let mut out = self.braces(&format!("if {condition}")) + &body;
        if self.g.chance(20) {
            let condition = self.condition();
            let body = self.nodes(1);
            out += &(self.braces(&format!("else if {condition}")) + &body);
        }
        if self.g.chance(50) {
            let body = self.nodes(1);
            out += &(self.braces("else") + &body);
        }
        self.variables.truncate(mark);
        out + &self.braces("end")
    }

    fn with(&mut self) -> String {
        let mark = self.variables.len();
        let pipe = match self.g.below(4) {
            0 if self.dot == Dot::Root => ".AutomationObject".to_string(),
            1 if self.dot == Dot::Root => ".Changed".to_string(),
            _ => self.condition(),
        };
        let outer = std::mem::replace(&mut self.dot, Dot::Unknown);
        let body = self.nodes(1);
        self.dot = outer;
        let mut out = self.braces(&format!("with {pipe}")) + &body;
        if !self.plain && self.g.chance(15) {
            let condition = self.condition();
            let outer = std::mem::replace(&mut self.dot, Dot::Unknown);
            let body = self.nodes(1);
            self.dot = outer;
            out += &(self.braces(&format!("else with {condition}")) + &body);
        }
        if self.g.chance(30) {
            let body = self.nodes(1);
            out += &(self.braces("else") + &body);
        }
        self.variables.truncate(mark);
        out + &self.braces("end")
    }

    fn range(&mut self) -> String {
        let source = self.g.below(if self.plain { 5 } else { 10 });
        let (pipe, key, element) = match source {
            0 => ("$.Changed.FileChanges".to_string(), Dot::Text, Dot::Object),
            1 | 2 => ("$.Changed.Objects".to_string(), Dot::Object, Dot::Changes),
            3 => ("$.Changed.Changes".to_string(), Dot::Unknown, Dot::Change),
            4 => ("$.Values".to_string(), Dot::Text, Dot::Text),
            5 => (self.command(Kind::List), Dot::Unknown, Dot::Unknown),
            6 => (self.command(Kind::Dict), Dot::Text, Dot::Unknown),
            7 => {
                let count = self.g.pick(&[
                    "3",
                    "0",
                    "-2",
                    "(int64 2)",
                    "(index \"\\x03\" 0)",
                    "(semver \"1.2.3\").Minor",
                    "1.5",
                    "nil",
                    "(len $.Values)",
                    "(toDate \"1\" \"3\").Month",
                ]);
                (count.to_string(), Dot::Unknown, Dot::Unknown)
            }
            8 => (self.command(Kind::Text), Dot::Unknown, Dot::Unknown),
            _ => (self.command(Kind::Any), Dot::Unknown, Dot::Unknown),
        };
        let mark = self.variables.len();
        let kind_of = |dot| match dot {
            Dot::Text => Kind::Text,
            _ => Kind::Any,
        };
        let mut has_key = false;
        let names = match self.g.below(20) {
            0..5 => String::new(),
            5..10 => {
                self.variables.push(("$e".to_string(), kind_of(element)));
                "$e := ".to_string()
            }
            10 if !self.plain && !self.variables.is_empty() => {
                let name = self.variables[self.g.below(self.variables.len())].0.clone();
                format!("{name} = ")
            }
            11 if !self.plain && self.variables.len() > 1 => {
                let one = self.variables[self.g.below(self.variables.len())].0.clone();
                let two = self.variables[self.g.below(self.variables.len())].0.clone();
                format!("{one}, {two} = ")
            }
            _ => {
                has_key = true;
                self.variables.push(("$k".to_string(), kind_of(key)));
                self.variables.push(("$e".to_string(), kind_of(element)));
                "$k, $e := ".to_string()
            }
        };
        let outer = std::mem::replace(&mut self.dot, element);
        let outer_range = std::mem::replace(&mut self.in_range, true);
        let mut body = match (source, has_key) {
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
}
