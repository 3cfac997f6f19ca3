//! Commit messages: templates from a grammar and templates as people write them, compared with Go's own answers.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use imageauto::controllers::message::{MessageError, MessageInput, Rules, UpdatedImage, render};
use imageauto::controllers::setters::changes::{
    Change, FileChanges, ObjectChanges, ObjectIdentifier,
};
use serde_json::{Value, json};

use crate::cluster::programs::go_program;
use crate::oracle::generator::Generator;

/// One automation's template and what its run changed.
#[derive(Clone, Debug)]
pub struct MessageCase {
    /// `spec.git.commit.messageTemplate`
    pub template: String,
    /// The automation's namespace.
    pub namespace: String,
    /// The automation's name.
    pub name: String,
    /// `spec.git.commit.messageTemplateValues`
    pub values: BTreeMap<String, String>,
    /// What changed.
    pub changed: Vec<FileChanges>,
    /// The images that were set, for the data of old.
    pub updated_images: Vec<UpdatedImage>,
    /// Whether the data is that of the controllers before Flux 2.7.
    pub old: bool,
}

/// A template from the grammar over the whole language and the whole function list.
pub fn message_case(g: &mut Generator) -> MessageCase {
    let template = if g.chance(10) {
        g.pick(&CORPUS).to_string()
    } else {
        Writer::new(g, false).template()
    };
    case(g, template, false)
}

/// A template of fields, `range`, `if`, `with`, `printf` and the common functions on texts.
pub fn plain_message_case(g: &mut Generator) -> MessageCase {
    let template = if g.chance(10) {
        g.pick(&PLAIN_CORPUS).to_string()
    } else {
        Writer::new(g, true).template()
    };
    case(g, template, false)
}

/// A template over `.Updated`, with the data of the controllers before Flux 2.7.
pub fn old_message_case(g: &mut Generator) -> MessageCase {
    let template = if g.chance(30) {
        g.pick(&OLD_CORPUS).to_string()
    } else {
        Writer::new(g, true)
            .template()
            .replace(".Changed.Objects", ".Updated.Objects")
            .replace(".Changed.Changes", ".Updated.Images")
            .replace(".Changed.FileChanges", ".Updated.Files")
    };
    case(g, template, true)
}

fn case(g: &mut Generator, template: String, old: bool) -> MessageCase {
    let mut values = BTreeMap::new();
    for key in ["cluster", "env", "ticket", "empty-value"] {
        if g.chance(60) {
            let value = g.pick(&[
                "prod",
                "",
                "eu-west-1",
                "JIRA-123",
                "Two words",
                "a,b;c",
                "\u{e9}t\u{e9}",
            ]);
            values.insert(key.to_string(), value.to_string());
        }
    }
    let changed = changed_files(g);
    let updated_images = if old { images(g, &changed) } else { Vec::new() };
    MessageCase {
        template,
        namespace: g.pick(&["flux-system", "apps", "team-a"]).to_string(),
        name: g.pick(&["flux-images", "podinfo", "update"]).to_string(),
        values,
        changed,
        updated_images,
        old,
    }
}

fn images(g: &mut Generator, changed: &[FileChanges]) -> Vec<UpdatedImage> {
    let mut images = Vec::new();
    for file in changed {
        for object in &file.objects {
            for _ in 0..1 + g.below(2) {
                images.push(UpdatedImage {
                    reference: g
                        .pick(&[
                            "registry.example.com/team/checkout:1.2.3",
                            "ghcr.io/org/app:v2@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                            "nginx:1.25",
                            "org/app:main-1",
                            "localhost:5000/xy:z",
                        ])
                        .to_string(),
                    policy_namespace: "flux-system".to_string(),
                    policy_name: g.pick(&["checkout", "worker"]).to_string(),
                    file: file.path.clone(),
                    object: object.object.clone(),
                });
            }
        }
    }
    images
}

fn changed_files(g: &mut Generator) -> Vec<FileChanges> {
    let mut files = Vec::new();
    let paths = [
        "deploy.yaml",
        "apps/web.yaml",
        "kustomization.yaml",
        "z/\u{e9}.yml",
    ];
    let first = g.below(paths.len());
    let count = if g.chance(60) { 1 } else { 2 + g.below(2) };
    for index in 0..count {
        let mut objects: Vec<ObjectChanges> = Vec::new();
        for _ in 0..1 + usize::from(g.chance(30)) {
            let object = object(g);
            if objects.iter().all(|known| known.object != object) {
                let changes = (0..1 + usize::from(g.chance(30)))
                    .map(|_| change(g))
                    .collect();
                objects.push(ObjectChanges { object, changes });
            }
        }
        files.push(FileChanges {
            path: paths[(first + index) % paths.len()].to_string(),
            objects,
        });
    }
    files
}

fn object(g: &mut Generator) -> ObjectIdentifier {
    let (api_version, kind) = match g.below(4) {
        0 => ("v1", "Pod"),
        1 => ("kustomize.config.k8s.io/v1beta1", "Kustomization"),
        2 => ("batch/v1", "CronJob"),
        _ => ("apps/v1", "Deployment"),
    };
    ObjectIdentifier {
        api_version: api_version.to_string(),
        kind: kind.to_string(),
        name: g.pick(&["checkout", "worker", ""]).to_string(),
        namespace: g.pick(&["prod", ""]).to_string(),
    }
}

fn change(g: &mut Generator) -> Change {
    Change {
        old: g.pick(&["1.2.3", "app:1.0.0", "v1", ""]).to_string(),
        new: g
            .pick(&[
                "1.9.0",
                "registry.example.com/team/checkout:1.9.0",
                "v10",
                "2026.06.01-abc1234",
            ])
            .to_string(),
        setter: g
            .pick(&[
                "flux-system:checkout",
                "flux-system:worker:tag",
                "apps:x:name",
            ])
            .to_string(),
    }
}

/// What is known of a value where a template is being written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Text,
    Int,
    Float,
    Bool,
    List,
    Dict,
    Any,
    Json,
}

/// Sprig's and Go's functions with the kinds of their parameters; the last one may come through a pipe.
const FUNCTIONS: &[(&str, &[Kind], Kind)] = {
    use Kind::{Any, Bool, Dict, Float, Int, Json, List, Text};
    &[
        ("abbrev", &[Int, Text], Text),
        ("abbrevboth", &[Int, Int, Text], Text),
        ("trunc", &[Int, Text], Text),
        ("trim", &[Text], Text),
        ("upper", &[Text], Text),
        ("lower", &[Text], Text),
        ("title", &[Text], Text),
        ("untitle", &[Text], Text),
        ("swapcase", &[Text], Text),
        ("snakecase", &[Text], Text),
        ("camelcase", &[Text], Text),
        ("kebabcase", &[Text], Text),
        ("nospace", &[Text], Text),
        ("initials", &[Text], Text),
        ("substr", &[Int, Int, Text], Text),
        ("repeat", &[Int, Text], Text),
        ("trimAll", &[Text, Text], Text),
        ("trimall", &[Text, Text], Text),
        ("trimSuffix", &[Text, Text], Text),
        ("trimPrefix", &[Text, Text], Text),
        ("contains", &[Text, Text], Bool),
        ("hasPrefix", &[Text, Text], Bool),
        ("hasSuffix", &[Text, Text], Bool),
        ("quote", &[Any], Text),
        ("quote", &[Any, Any], Text),
        ("squote", &[Any, Any], Text),
        ("cat", &[Any, Any, Any], Text),
        ("indent", &[Int, Text], Text),
        ("nindent", &[Int, Text], Text),
        ("replace", &[Text, Text, Text], Text),
        ("plural", &[Text, Text, Int], Text),
        ("wrap", &[Int, Text], Text),
        ("wrapWith", &[Int, Text, Text], Text),
        ("toString", &[Any], Text),
        ("toStrings", &[Any], List),
        ("join", &[Text, List], Text),
        ("sortAlpha", &[List], List),
        ("splitList", &[Text, Text], List),
        ("split", &[Text, Text], Any),
        ("splitn", &[Text, Int, Text], Any),
        ("regexQuoteMeta", &[Text], Text),
        ("fail", &[Text], Text),
        ("hello", &[], Text),
        ("atoi", &[Text], Int),
        ("int", &[Any], Int),
        ("int64", &[Any], Int),
        ("float64", &[Any], Float),
        ("toDecimal", &[Any], Int),
        ("add1", &[Any], Int),
        ("add", &[Int, Any, Int], Int),
        ("sub", &[Int, Any], Int),
        ("div", &[Int, Any], Int),
        ("mod", &[Int, Any], Int),
        ("mul", &[Int, Any], Int),
        ("max", &[Int, Any], Int),
        ("biggest", &[Int, Int], Int),
        ("min", &[Int, Any], Int),
        ("add1f", &[Any], Float),
        ("addf", &[Float, Any, Float], Float),
        ("subf", &[Float, Any], Float),
        ("mulf", &[Float, Float, Any], Float),
        ("divf", &[Float, Float], Float),
        ("maxf", &[Float, Any], Float),
        ("minf", &[Float, Any], Float),
        ("ceil", &[Float], Float),
        ("floor", &[Any], Float),
        ("round", &[Float, Int], Float),
        ("round", &[Any, Int, Float], Float),
        ("seq", &[Int], Text),
        ("seq", &[Int, Int, Int], Text),
        ("seq", &[Int, Int], Text),
        ("until", &[Int], List),
        ("untilStep", &[Int, Int, Int], List),
        ("default", &[Any, Any], Any),
        ("empty", &[Any], Bool),
        ("coalesce", &[Any, Any, Any], Any),
        ("all", &[Any, Any], Bool),
        ("any", &[Any, Any], Bool),
        ("compact", &[List], List),
        ("mustCompact", &[List], List),
        ("ternary", &[Any, Any, Bool], Any),
        ("fromJson", &[Json], Any),
        ("mustFromJson", &[Json], Any),
        ("toJson", &[Any], Text),
        ("toPrettyJson", &[Any], Text),
        ("toRawJson", &[Any], Text),
        ("mustToJson", &[Any], Text),
        ("mustToPrettyJson", &[Any], Text),
        ("mustToRawJson", &[Any], Text),
        ("list", &[Any, Any, Any], List),
        ("tuple", &[Any, Any], List),
        ("first", &[List], Any),
        ("mustFirst", &[List], Any),
        ("last", &[List], Any),
        ("rest", &[List], List),
        ("mustRest", &[List], List),
        ("initial", &[List], List),
        ("append", &[List, Any], List),
        ("push", &[List, Any], List),
        ("mustPush", &[List, Any], List),
        ("prepend", &[List, Any], List),
        ("mustPrepend", &[List, Any], List),
        ("reverse", &[List], List),
        ("uniq", &[List], List),
        ("mustUniq", &[List], List),
        ("without", &[List, Any, Any], List),
        ("has", &[Any, List], Bool),
        ("mustHas", &[Any, List], Bool),
        ("slice", &[List, Int, Int], Any),
        ("slice", &[List, Int], Any),
        ("mustSlice", &[List, Int], Any),
        ("concat", &[List, List], List),
        ("chunk", &[Int, List], List),
        ("mustChunk", &[Int, List], List),
        ("dict", &[Text, Any, Text, Any], Dict),
        ("dict", &[Text, Any, Text], Dict),
        ("get", &[Dict, Text], Any),
        ("set", &[Dict, Text, Any], Dict),
        ("unset", &[Dict, Text], Dict),
        ("hasKey", &[Dict, Text], Bool),
        ("pluck", &[Text, Dict, Dict], List),
        ("dig", &[Text, Any, Dict], Any),
        ("dig", &[Text, Text, Any, Dict], Any),
        ("keys", &[Dict], List),
        ("values", &[Dict], List),
        ("pick", &[Dict, Text], Dict),
        ("omit", &[Dict, Text, Text], Dict),
        ("merge", &[Dict, Dict], Dict),
        ("mustMerge", &[Dict, Dict], Dict),
        ("mergeOverwrite", &[Dict, Dict, Dict], Dict),
        ("deepCopy", &[Any], Any),
        ("mustDeepCopy", &[Dict], Any),
        ("typeOf", &[Any], Text),
        ("typeIs", &[Text, Any], Bool),
        ("typeIsLike", &[Text, Any], Bool),
        ("kindOf", &[Any], Text),
        ("kindIs", &[Text, Any], Bool),
        ("deepEqual", &[Any, Any], Bool),
        ("b64enc", &[Text], Text),
        ("b64dec", &[Text], Text),
        ("b32enc", &[Text], Text),
        ("b32dec", &[Text], Text),
        ("sha1sum", &[Text], Text),
        ("sha256sum", &[Text], Text),
        ("sha512sum", &[Text], Text),
        ("adler32sum", &[Text], Text),
        ("base", &[Text], Text),
        ("dir", &[Text], Text),
        ("clean", &[Text], Text),
        ("ext", &[Text], Text),
        ("isAbs", &[Text], Bool),
        ("osBase", &[Text], Text),
        ("osClean", &[Text], Text),
        ("duration", &[Any], Text),
        ("durationRound", &[Any], Text),
        ("semver", &[Text], Any),
        ("semverCompare", &[Text, Text], Bool),
        ("urlParse", &[Text], Dict),
        ("urlJoin", &[Dict], Text),
        ("regexMatch", &[Text, Text], Bool),
        ("mustRegexMatch", &[Text, Text], Bool),
        ("regexFind", &[Text, Text], Text),
        ("mustRegexFind", &[Text, Text], Text),
        ("regexFindAll", &[Text, Text, Int], List),
        ("regexSplit", &[Text, Text, Int], List),
        ("mustRegexSplit", &[Text, Text, Int], List),
        ("regexReplaceAll", &[Text, Text, Text], Text),
        ("mustRegexReplaceAllLiteral", &[Text, Text, Text], Text),
        ("and", &[Any, Any], Any),
        ("or", &[Any, Any, Any], Any),
        ("not", &[Any], Bool),
        ("len", &[Any], Int),
        ("len", &[List], Int),
        ("index", &[List, Int], Any),
        ("index", &[Dict, Text], Any),
        ("index", &[Any, Any], Any),
        ("print", &[Any, Any], Text),
        ("println", &[Any, Any], Text),
        ("html", &[Any], Text),
        ("js", &[Any], Text),
        ("urlquery", &[Any], Text),
        ("call", &[Any], Any),
        ("eq", &[Any, Any], Bool),
        ("eq", &[Text, Text, Text], Bool),
        ("eq", &[Int, Int], Bool),
        ("ne", &[Text, Any], Bool),
        ("lt", &[Int, Int], Bool),
        ("lt", &[Any, Any], Bool),
        ("le", &[Text, Text], Bool),
        ("gt", &[Float, Float], Bool),
        ("ge", &[Any, Int], Bool),
    ]
};

/// The functions of [`plain_message_case`].
const PLAIN_FUNCTIONS: &[(&str, &[Kind], Kind)] = {
    use Kind::{Any, Bool, Int, List, Text};
    &[
        ("upper", &[Text], Text),
        ("lower", &[Text], Text),
        ("trim", &[Text], Text),
        ("trunc", &[Int, Text], Text),
        ("replace", &[Text, Text, Text], Text),
        ("trimSuffix", &[Text, Text], Text),
        ("trimPrefix", &[Text, Text], Text),
        ("contains", &[Text, Text], Bool),
        ("hasPrefix", &[Text, Text], Bool),
        ("quote", &[Any], Text),
        ("squote", &[Any], Text),
        ("join", &[Text, List], Text),
        ("splitList", &[Text, Text], List),
        ("default", &[Text, Text], Text),
        ("indent", &[Int, Text], Text),
        ("ternary", &[Text, Text, Bool], Text),
        ("len", &[Any], Int),
        ("eq", &[Text, Text], Bool),
        ("not", &[Any], Bool),
        ("print", &[Any, Any], Text),
    ]
};

/// Writes templates.
struct Writer<'g> {
    g: &'g mut Generator,
    plain: bool,
    /// The variables in scope with their kinds.
    variables: Vec<(String, Kind)>,
    next_variable: usize,
    depth: usize,
    /// The fields of the dot.
    dot: Dot,
    in_range: bool,
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
    fn new(g: &'g mut Generator, plain: bool) -> Self {
        Writer {
            g,
            plain,
            variables: Vec::new(),
            next_variable: 0,
            depth: 0,
            dot: Dot::Root,
            in_range: false,
        }
    }

    fn template(mut self) -> String {
        let mut out = String::new();
        if !self.plain && self.g.chance(8) {
            let dot = std::mem::replace(&mut self.dot, Dot::Unknown);
            let body = self.nodes(2);
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
            97..98 if !self.plain => {
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

/// Templates as people write them, with the things that they try.
const CORPUS: &[&str] = &[
    "",
    "Update images",
    "{{ range .Updated.Images }}- {{ . }}\n{{ end }}",
    "chore: update\n\n{{ range .Updated.Images -}}\n- {{ . }}\n{{ end -}}",
    "{{ .Changed.ImageResult }}",
    "{{ with .Changed }}{{ .ImageResult }}{{ end }}",
    "{{ with . }}{{ .Updated }}{{ end }}",
    "{{ define \"x\" }}{{ .Updated }}{{ end }}{{ template \"x\" . }}",
    "{{ if false }}{{ .Updated }}{{ end }}fine",
    "{{ block \"b\" .AutomationObject }}{{ .Name }}{{ end }}",
    "{{ $x := 1 }}{{ range until 3 }}{{ $x = add $x . }}{{ end }}{{ $x }}",
    "{{ range $i, $e := until 5 }}{{ if eq $i 3 }}{{ break }}{{ end }}{{ if eq $i 1 }}{{ continue }}{{ end }}{{ $e }}{{ end }}",
    "{{ range 3 }}{{ . }}{{ end }}{{ range $i := 2 }}{{ $i }}{{ end }}",
    "{{ range $i, $j := 3 }}{{ end }}",
    "{{ range \"abc\" }}{{ . }}{{ end }}",
    "{{ range .AutomationObject }}{{ end }}",
    "{{ . }}",
    "{{ printf \"%#v\" . }}",
    "{{ printf \"%+v\" . }}",
    "{{ printf \"%v %T\" . . }}",
    "{{ toJson .AutomationObject }} {{ toJson .Changed }} {{ toJson .Values }} {{ toPrettyJson .Changed.Changes }}",
    "{{ mustToJson .Changed.Objects }}",
    "{{ range $k, $v := .Changed.Objects }}{{ toJson $k }}{{ end }}",
    "{{ range $k, $v := .Changed.Objects }}{{ $k.GetName }}{{ end }}",
    "{{ range $k, $v := .Changed.Objects }}{{ $k.ResourceIdentifier.TypeMeta.Kind }} {{ $k.NameMeta }} {{ printf \"%+v\" $k }}\n{{ end }}",
    "{{ (index .Changed.Changes 0).NewValue }}",
    "{{ index .Changed.Changes 99 }}",
    "{{ len .Changed.Changes }} {{ len .Changed.FileChanges }} {{ len .Values }} {{ len .AutomationObject.Name }}",
    "{{ len 3 }}",
    "{{ .Values.cluster | default \"none\" | upper | quote }}",
    "{{ .AutomationObject | toString | replace \"/\" \"-\" }}",
    "{{ .AutomationObject.Namespace.Foo }}",
    "{{ .Foo }}",
    "{{ .Values.foo.bar.baz }}|{{ .Values.foo }}",
    "{{ now }}",
    "{{ env \"HOME\" }}",
    "{{ bad }}",
    "{{ if }}x{{ end }}",
    "{{ end }}",
    "{{ if true }}",
    "{{ range .Values }}",
    "{{ else }}",
    "{{ $undefined }}",
    "{{ $x = 1 }}",
    "{{ \"unterminated }}",
    "{{ 'x }}",
    "{{ template \"missing\" . }}",
    "{{ define \"a\" }}1{{ end }}{{ define \"a\" }}2{{ end }}{{ template \"a\" }}",
    "{{ define \"commit message\" }}inner{{ end }}",
    "{{ .AutomationObject.Name | trunc 3 | printf \"%s-%d\" }}",
    "{{ upper 3 }}",
    "{{ upper nil }}",
    "{{ upper .Values.missing }}",
    "{{ upper .Changed }}",
    "{{ nil }}",
    "{{ nil | print }}",
    "{{ 1 | 2 }}",
    "{{ (1) 2 }}",
    "{{ .AutomationObject 1 }}",
    "{{ .AutomationObject.String }} {{ .AutomationObject.Name 1 }}",
    "{{ 1 | .AutomationObject.String }}",
    "{{ .Changed.Changes 1 }}",
    "{{ .Values.cluster 1 }}",
    "{{ true.x }}",
    "{{ \"a\".b }}",
    "{{ (nil).x }}",
    "{{ nil.x }}",
    "{{ 1.5.x }}",
    "{{ 0x }}",
    "{{ 1__0 }}",
    "{{ 08 }}",
    "{{ 1e400 }}",
    "{{ 99999999999999999999 }}",
    "{{ 18446744073709551615 }}",
    "{{ '\\'' }} {{ '\\n' }} {{ '\\x41' }} {{ '\\u00e9' }}",
    "{{ 'ab' }}",
    "{{ 1+2i }} {{ 3i }} {{ 0i }} {{ printf \"%T\" 1i }}",
    "{{ print 1 2 \"a\" \"b\" 3 4 nil nil }}",
    "{{ println \"x\" 1 nil }}",
    "{{ list nil 1 }} {{ index (list nil) 0 }} {{ first (list nil) }} {{ range list nil }}{{ . }}{{ end }}",
    "{{ $d := dict \"a\" 1 }}{{ $_ := set $d \"b\" 2 }}{{ $d }} {{ $d.a }} {{ $d.c }} {{ unset $d \"a\" }}",
    "{{ $l := splitList \",\" \"b,a\" }}{{ $_ := sortAlpha $l }}{{ $l }}",
    "{{ (dict \"a\" (dict \"b\" 1)).a.b }} {{ (dict \"a\" 1).a.b }}",
    "{{ dig \"a\" \"b\" \"none\" (dict \"a\" (dict \"b\" 7)) }} {{ dig \"a\" \"x\" \"none\" (dict \"a\" 1) }}",
    "{{ and 1 0 2 }} {{ or 0 \"\" \"x\" }} {{ and }} ",
    "{{ and true }} {{ or false nil }} {{ not }} ",
    "{{ 0 | and 1 }} {{ 5 | or 0 }} {{ \"x\" | and 0 (fail \"no\") }}",
    "{{ eq 1 1.0 }}",
    "{{ eq \"a\" \"b\" \"a\" }} {{ ne 1 2 }} {{ lt 1 2 }} {{ le \"a\" \"b\" }} {{ gt 2.5 1.5 }} {{ ge 1 1 }}",
    "{{ eq .AutomationObject .AutomationObject }} {{ eq .Values .Values }}",
    "{{ eq (list 1) (list 1) }}",
    "{{ eq nil nil }} {{ eq nil 1 }} {{ eq .Values nil }}",
    "{{ lt nil 1 }}",
    "{{ eq }}",
    "{{ eq 1 }}",
    "{{ call 1 }}",
    "{{ call nil }}",
    "{{ \"x\" | call }}",
    "{{ index nil 1 }}",
    "{{ index .Values 1 }}",
    "{{ index .Values \"cluster\" \"x\" }}",
    "{{ index \"abc\" 1 }} {{ index (list 1 2) 2 }}",
    "{{ index (list 1 2) -1 }}",
    "{{ slice (list 1 2 3) 1 2 }} {{ slice \"abc\" 1 }}",
    "{{ slice (append (list 1) 2) 0 2 }} {{ slice (append (list 1 2 3) 4) 0 6 }} {{ slice (list 1) 0 2 }}",
    "{{ html \"<a>\" }} {{ js \"it's \\\"x\\\"\" }} {{ urlquery \"a b&c\" }} {{ html nil }} {{ html 1 nil }}",
    "{{ fail \"stop\" }}",
    "{{ fail \"can't evaluate field Updated in type source.TemplateData\" }}",
    "{{ substr 1 10 \"abc\" }} {{ substr 5 2 \"abcdefg\" }}",
    "{{ substr -1 10 \"abc\" }}",
    "{{ repeat -1 \"x\" }}",
    "{{ indent -1 \"x\" }}",
    "{{ first nil }}",
    "{{ first \"abc\" }} ",
    "{{ push 1 2 }}",
    "{{ concat 1 }}",
    "{{ chunk 0 (list 1 2) }}",
    "{{ chunk 2 (list 1 2 3) }} {{ chunk 2 list }}",
    "{{ div 1 0 }}",
    "{{ divf 1 0 }}",
    "{{ divf 10 3 }} {{ addf 0.1 0.2 }} {{ mulf 1.1 1.1 }} {{ round 123.5555 3 }} {{ round -2.5 0 }}",
    "{{ seq 5 }} {{ seq 2 5 }} {{ seq 10 -2 1 }} {{ seq 1 2 10 }} {{ seq 0 }}",
    "{{ untilStep 3 9 2 }} {{ until -3 }}",
    "{{ get nil \"a\" }} {{ hasKey nil \"a\" }} {{ keys }}",
    "{{ set nil \"a\" 1 }}",
    "{{ get .Values \"a\" }}",
    "{{ merge (dict \"a\" 1 \"b\" (dict \"x\" 1)) (dict \"a\" 2 \"b\" (dict \"y\" 2) \"c\" (list 1)) }}",
    "{{ mergeOverwrite (dict \"a\" 1 \"l\" (list 1) \"m\" \"x\") (dict \"a\" nil \"l\" (list) \"m\" (dict \"z\" 1)) }}",
    "{{ merge (dict \"a\" \"\" \"l\" (list) \"d\" (dict)) (dict \"a\" 2 \"l\" (list 1) \"d\" (dict \"q\" 1)) }}",
    "{{ typeOf .Changed.Objects }} {{ typeOf nil }} {{ typeOf 1 }} {{ typeOf (list) }} {{ typeOf (dict) }} {{ kindOf .Changed.Changes }} {{ typeOf (index \"a\" 0) }}",
    "{{ range $k, $v := .Changed.FileChanges }}{{ typeOf $v }}{{ range $o, $c := $v }}{{ typeOf $o }} {{ typeOf $c }}{{ end }}{{ end }}",
    "{{ .Changed.Objects | len | printf \"%03d\" }}",
    "{{ printf \"%d\" \"x\" }} {{ printf \"%s\" 1 }} {{ printf \"%d\" }} {{ printf \"x\" 1 2 }} {{ printf \"%!\" }} {{ printf \"%z\" 3 }} {{ printf \"%\" }}",
    "{{ printf \"%[2]d %[1]d\" 1 2 }} {{ printf \"%[5]d\" 1 }} {{ printf \"%*d\" 5 42 }} {{ printf \"%-*d|\" 5 42 }} {{ printf \"%.*f\" 2 3.14159 }}",
    "{{ printf \"%6.2f|%-8s|%08d|%+d|%x|%X|%o|%b|%c|%U|%q|%t|%e|%g\" 3.14159 \"hi\" 42 7 255 255 8 5 65 9731 \"q\" true 1234.5 1e21 }}",
    "{{ printf \"%v %d %s\" (list 1 \"a\" nil) (list 1 \"a\") (dict \"k\" 1) }}",
    "{{ printf \"%#v %#v %#v\" (list 1 \"a\" nil) (dict \"k\" 1.5) .AutomationObject }}",
    "{{ printf \"%x %X % x %#x %q\" \"hello\" \"hello\" \"hello\" \"hello\" (list \"a\" \"b\") }}",
    "{{ printf \"%5t|%-7v|%07.2f|%+.3e|% d\" true nil 3.14159 12345.678 42 }}",
    "{{ printf \"%#q %#U %+q %#o %#b %O\" \"back\" 9731 \"\\u00e9\" 8 5 8 }}",
    "{{ printf \"%s\" .AutomationObject }} {{ printf \"%d\" .AutomationObject }} {{ printf \"%q\" .AutomationObject }} {{ printf \"%x\" .AutomationObject }}",
    "{{ printf \"%w\" \"x\" }} {{ printf \"%w\" 1 }}",
    "{{ printf \"%s\" nil }} {{ printf \"%v\" nil }} {{ printf \"%d\" nil }}",
    "{{ printf 1 }}",
    "{{ printf }}",
    "{{- /* comment */ -}}  text",
    "{{/* comment */}}{{- \"x\" -}} \n y",
    "{{ /* not a comment */ }}",
    "{{/* unclosed",
    "{{- -1 }}{{ -1 -}}",
    "{{-1}}",
    "{{ \"a\" | printf \"%s %s\" \"b\" | upper }}",
    "{{ with $x := 3 }}{{ $x }}{{ end }}{{ with 0 }}a{{ else with 2 }}{{ . }}{{ else }}c{{ end }}",
    "{{ if 0 }}a{{ else if \"\" }}b{{ else if .Values }}c{{ else }}d{{ end }}",
    "{{ range $k, $v := dict \"b\" 1 \"a\" 2 }}{{ $k }}={{ $v }},{{ else }}none{{ end }}",
    "{{ range $i, $_ := list }}x{{ else }}none{{ end }}",
    "{{ keys (dict \"a\" 1 \"b\" 2 \"c\" 3) | sortAlpha | join \",\" }} {{ keys (dict \"a\" 1) }}",
    "{{ keys (dict \"a\" 1 \"b\" 2 \"c\" 3) | len }}",
    "{{ shuffle \"a\" }} {{ randInt 1 2 }}",
    "{{ randInt 2 1 }}",
    "{{ bcrypt 1 }}",
    "{{ genCA }}",
    "{{ abbrev 3 \"hello world\" }} {{ abbrev 8 \"hello world\" }} {{ abbrevboth 5 10 \"1234 5678 9123\" }} {{ abbrevboth 5 6 \"1234 5678 9123\" }}",
    "{{ wrap 10 \"the quick brown foxjumpedover it\" }} {{ wrapWith 5 \"|\" \"Hello World again\" }}",
    "{{ toDecimal \"0777\" }} {{ toDecimal 777 }} {{ atoi \"x\" }} {{ atoi \"99999999999999999999\" }} {{ int \"010\" }} {{ int64 \"0x1f\" }} {{ int 3.9 }} {{ float64 \"1e3\" }}",
    "{{ b64dec \"!!\" }} {{ b64dec \"aGVsbG8\" }} {{ b32dec \"x\" }} {{ b64enc \"\\xff\\x00\" }}",
    "{{ snakecase \"FirstName\" }} {{ snakecase \"HTTP20xOK\" }} {{ camelcase \"http_server\" }} {{ kebabcase \"FirstName 2x\" }} {{ camelcase \"_complex__case_\" }}",
    "{{ ternary \"yes\" \"no\" (eq .AutomationObject.Name \"podinfo\") }}",
    "{{ quote nil }}{{ quote 1 nil \"a\\nb\" }} {{ squote \"it's\" }} {{ cat nil 1 \"a\" nil }}",
    "{{ range $i, $c := (splitList \"\" \"a\\u00e9z\") }}[{{ $c }}]{{ end }} {{ split \"-\" \"a-b\" }} {{ (split \"-\" \"a-b\")._1 }} {{ splitn \"-\" 2 \"a-b-c\" }}",
    "{{ $a := 1 }}{{ if true }}{{ $a := 2 }}{{ end }}{{ $a }}",
    "{{ range $x, $y, $z := .Values }}{{ end }}",
    "{{ $x, $y := 1 }}",
    "{{ template 3 }}",
    "{{ define }}",
    "{{ break }}",
    "{{ \"a\" \"b\" }}",
    "{{ . | . }}",
    "{{ .AutomationObject | .Name }}",
    "{{ ( }}",
    "{{ () }}",
    "{{ | upper }}",
    "{{ upper | }}",
    "{{ a.b }}",
    "{{ .a..b }}",
    "{{ .1a }}",
    "{{ $.AutomationObject.Name }} {{ $ }}",
    "{{ \"\\z\" }}",
    "{{ \"\u{2028}\" }} {{ `multi\nline` }}",
    "one\ntwo\n{{ .Foo }}",
    "one\ntwo {{\n  .Values.x\n  | upper }}",
    "{{ if eq\n1 }}{{ end }}",
    "\n\n{{ \"abc\n\" }}",
    "{{\n.AutomationObject.Name\n",
    "{{ regexQuoteMeta \"a.b*c\" }} {{ hello }}",
    "{{ .Changed.Changes }}",
    "{{ range .Changed.Changes }}{{ . }}{{ end }}",
    "{{ .Values }} {{ .Changed.FileChanges }}",
    "{{ $m := deepCopy (dict \"a\" (list 1)) }}{{ $m }} {{ deepEqual (list 1) (list 1) }} {{ has 2 (list 1 2) }} {{ without (list 1 2 3) 2 }}",
    "{{ pluck \"a\" (dict \"a\" 1) (dict \"b\" 2) (dict \"a\" 3) }} {{ pick (dict \"a\" 1 \"b\" 2) \"a\" }} {{ omit (dict \"a\" 1 \"b\" 2) \"a\" }}",
    "{{ regexFindAll \"[2,4,6,8]\" \"123456789\" -1 }} {{ regexReplaceAll \"a(x*)b\" \"-ab-axxb-\" \"${1}W\" }} {{ regexReplaceAll \"a(x*)b\" \"-ab-axxb-\" \"$1W\" }} {{ regexReplaceAllLiteral \"a(x*)b\" \"-ab-axxb-\" \"${1}\" }} {{ regexSplit \"z+\" \"pizza\" -1 }} {{ regexSplit \"z+\" \"pizza\" 0 }} {{ regexFindAll \"a\" \"b\" 1 }}",
    "{{ regexMatch \"a(\" \"x\" }} {{ mustRegexMatch \"a(\" \"x\" }}",
    "{{ regexFind \"a(\" \"x\" }}",
    "{{ mustRegexFind \"a[\" \"x\" }}",
    "{{ $v := semver \"v1.2.3-beta.1+b\" }}{{ $v }} {{ $v.Major }}.{{ $v.Minor }} {{ $v.Prerelease }} {{ $v.Original }} {{ $v.IncPatch }} {{ $v.IncMajor }} {{ $v.Compare (semver \"1.0.0\") }} {{ toJson $v }} {{ typeOf $v }} {{ kindOf $v }} {{ printf \"%s %v %q\" $v $v $v }} {{ list $v }}",
    "{{ (semver \"1.2\").major }}",
    "{{ (semver \"1.2\").Foo }}",
    "{{ semver \"x\" }}",
    "{{ semverCompare \"^1.2\" \"1.3.0\" }} {{ semverCompare \"bad range\" \"1\" }}",
    "{{ urlParse \"https://user:pw@example.com:8080/a%20b?q=1#frag\" }} {{ urlJoin (dict \"scheme\" \"http\" \"host\" \"h:1\" \"path\" \"/p q\" \"query\" \"a=b\" \"userinfo\" \"u:p\" \"fragment\" \"f g\") }}",
    "{{ urlParse \"http://a b\" }}",
    "{{ urlJoin (dict \"host\" 1) }}",
    "{{ duration \"95\" }} {{ duration 95 }} {{ duration (int64 3661) }} {{ durationRound \"2h10m\" }} {{ durationRound \"x\" }} {{ ago \"x\" }}",
    "{{ unixEpoch 1 }}",
    "{{ coalesce 0 \"\" nil \"x\" }} {{ coalesce 0 }} {{ default 1 nil }} {{ empty .Changed }} {{ all 1 0 }} {{ any 0 1 }}",
    "{{ toJson (list 1.0 1e21 1e-7 \"<\" nil true) }} {{ toRawJson \"<\" }} {{ toPrettyJson (dict \"a\" (list) \"b\" (dict)) }} {{ toJson (list 1i) }}",
];

/// Templates as people write them that work.
const PLAIN_CORPUS: &[&str] = &[
    "",
    "Automated image update",
    "Automated image update\n\nAutomation name: {{ .AutomationObject }}\n\nFiles:\n{{ range $filename, $_ := .Changed.FileChanges -}}\n- {{ $filename }}\n{{ end -}}\n\nObjects:\n{{ range $resource, $changes := .Changed.Objects -}}\n- {{ $resource.Kind }} {{ $resource.Name }}\n  Changes:\n{{- range $_, $change := $changes }}\n    - {{ $change.OldValue }} -> {{ $change.NewValue }}\n{{ end -}}\n{{ end -}}",
    "{{- $ChangeType := \"\" -}}\n{{- range .Changed.Changes }}\n{{- $ChangeType = .NewValue }}\n{{- end }}\n[{{ .AutomationObject.Namespace }}] {{ len .Changed.FileChanges }} files",
    "chore({{ .AutomationObject.Name }}): update images\n\n{{ range $file, $objects := .Changed.FileChanges }}{{ range $object, $changes := $objects }}{{ range $changes }}{{ $object.Kind }}/{{ $object.Name }}: {{ .OldValue }} -> {{ .NewValue }} ({{ .Setter }})\n{{ end }}{{ end }}{{ end }}",
    "{{ with .Values.ticket }}{{ . }}: {{ end }}update {{ .Values.cluster | default \"no cluster\" }}",
    "{{ range .Changed.Objects }}{{ range . }}{{ .NewValue | trunc 7 }} {{ end }}{{ end }}",
    "{{ printf \"%s/%s\" .AutomationObject.Namespace .AutomationObject.Name | upper }}\n",
];

/// Templates for the data of the controllers before Flux 2.7.
const OLD_CORPUS: &[&str] = &[
    "{{ range .Updated.Images -}}\n- {{ . }}\n{{ end -}}",
    "Automated image update by Flux\n\n{{ range .Updated.Images }}- {{ println . }}{{ end }}",
    "Files:\n{{ range $filename, $_ := .Updated.Files -}}\n- {{ $filename }}\n{{ end -}}\nObjects:\n{{ range $resource, $_ := .Updated.Objects -}}\n- {{ $resource.Kind }} {{ $resource.Name }}\n{{ end -}}\nImages:\n{{ range .Updated.Images -}}\n- {{ . }} ({{ .Policy.Name }})\n{{ end -}}",
    "{{ range .Updated.Images }}{{ .Registry }}|{{ .Repository }}|{{ .Identifier }}|{{ .Name }}|{{ .Policy }}|{{ .String }}\n{{ end }}",
    "{{ range $file, $result := .Updated.Files }}{{ $file }}:{{ range $object, $images := $result.Objects }}{{ $object.Name }} {{ $images }}{{ end }}{{ end }}",
    "{{ len .Updated.Images }} {{ (index .Updated.Images 0).Registry }}",
    "{{ range .Changed.ImageResult.Images }}{{ . }}{{ end }}",
    "{{ .Updated.Foo }}",
    "{{ .Changed.Foo }}",
    "{{ range .Updated.Images }}{{ .Foo }}{{ end }}",
    "{{ .Updated }}",
];

/// Asks the Go program about the cases; each answer is what all runs gave: the outputs and the error texts.
fn go_answers(cases: &[MessageCase], runs: usize) -> Option<Vec<(Vec<Vec<u8>>, Vec<String>)>> {
    let program = go_program("messages")?;
    let mut questions = String::new();
    for case in cases {
        questions.push_str(&question(case, runs).to_string());
        questions.push('\n');
    }
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("the program reads");
    let writer = std::thread::spawn(move || stdin.write_all(questions.as_bytes()));
    let output = child.wait_with_output().expect("the program ends");
    writer
        .join()
        .expect("the writer ends")
        .expect("the program reads every question");
    assert!(output.status.success(), "the program failed");
    let answers = String::from_utf8(output.stdout).expect("answers are JSON");
    Some(answers.lines().map(answer).collect())
}

fn question(case: &MessageCase, runs: usize) -> Value {
    let images = |file: &FileChanges, object: &ObjectIdentifier| -> Vec<Value> {
        let images = case.updated_images.iter();
        images
            .filter(|image| image.file == file.path && image.object == *object)
            .map(|image| {
                json!({"Reference": image.reference, "PolicyNamespace": image.policy_namespace,
                       "PolicyName": image.policy_name})
            })
            .collect()
    };
    let object = |file: &FileChanges, object: &ObjectChanges| {
        let id = &object.object;
        let changes: Vec<Value> = object
            .changes
            .iter()
            .map(|change| json!({"Old": change.old, "New": change.new, "Setter": change.setter}))
            .collect();
        json!({"APIVersion": id.api_version, "Kind": id.kind, "Name": id.name, "Namespace": id.namespace,
               "Changes": changes, "Images": images(file, id)})
    };
    let files: Vec<Value> = case
        .changed
        .iter()
        .map(|file| {
            let objects: Vec<Value> = file
                .objects
                .iter()
                .map(|changes| object(file, changes))
                .collect();
            json!({"Path": file.path, "Objects": objects})
        })
        .collect();
    let template = if case.template.is_empty() {
        "Update from image update automation"
    } else {
        &case.template
    };
    let mut question = json!({"Template": template, "Namespace": case.namespace, "Name": case.name, "Changed": files,
                              "Old": case.old, "Runs": runs});
    if !case.values.is_empty() {
        question["Values"] = json!(case.values);
    }
    question
}

fn answer(line: &str) -> (Vec<Vec<u8>>, Vec<String>) {
    let answer: Value = serde_json::from_str(line).expect("an answer is JSON");
    let texts = |name: &str| -> Vec<String> {
        let texts = answer[name].as_array().expect("an answer has lists");
        texts
            .iter()
            .map(|text| text.as_str().expect("a list of texts").to_string())
            .collect()
    };
    let outputs = texts("outputs").iter().map(|text| base64(text)).collect();
    (outputs, texts("errors"))
}

fn base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut out, mut held, mut bits) = (Vec::new(), 0u32, 0);
    for byte in text.bytes().take_while(|byte| *byte != b'=') {
        let letter = LETTERS
            .iter()
            .position(|letter| *letter == byte)
            .expect("base 64");
        held = held << 6 | letter as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    out
}

/// The end of the program's error texts where Go would go on for too long.
const TOO_LARGE: &str = "too large to compare";

/// How a case compares.
enum Verdict {
    Agrees,
    /// We don't render it, and say so.
    Refused(String),
    Disagrees(String),
}

fn compare(case: &MessageCase, outputs: &[Vec<u8>], errors: &[String]) -> Verdict {
    let input = MessageInput {
        template: &case.template,
        namespace: &case.namespace,
        name: &case.name,
        values: &case.values,
        changed: &case.changed,
        updated_images: &case.updated_images,
        rules: if case.old {
            Rules::Flux2_6
        } else {
            Rules::Current
        },
    };
    let differs = |ours: &dyn std::fmt::Debug| {
        let outputs: Vec<_> = outputs
            .iter()
            .map(|text| String::from_utf8_lossy(text))
            .collect();
        Verdict::Disagrees(format!(
            "template: {:?}\n  ours: {ours:?}\n  Go's: {outputs:?} {errors:?}",
            case.template
        ))
    };
    match render(&input) {
        Ok(message) => {
            let certain = message.not_deterministic.is_none();
            let alone = outputs.len() == 1 && errors.is_empty();
            // What Go's maps leave to chance must be said; Go may show one order only by chance.
            if outputs.contains(&message.text) && (alone || !certain) {
                return Verdict::Agrees;
            }
            if !certain && !outputs.is_empty() {
                return Verdict::Agrees;
            }
            differs(&(
                String::from_utf8_lossy(&message.text),
                &message.not_deterministic,
            ))
        }
        Err(MessageError::Removed { field, .. }) => {
            let mark = match field {
                ".Updated" => "can't evaluate field Updated in type source.TemplateData",
                _ => "can't evaluate field ImageResult in type update.Result",
            };
            if !errors.is_empty() && errors.iter().all(|error| error.contains(mark)) {
                Verdict::Agrees
            } else {
                differs(&field)
            }
        }
        // Go would take all memory for these, so its program says the same.
        Err(MessageError::TooLarge { .. })
            if errors.iter().any(|error| error.ends_with(TOO_LARGE)) =>
        {
            Verdict::Agrees
        }
        Err(MessageError::Failed { message }) => {
            let ours = message
                .strip_prefix("failed to update source: ")
                .unwrap_or(&message);
            if errors.iter().any(|error| error == ours) {
                Verdict::Agrees
            } else {
                differs(&message)
            }
        }
        Err(refused @ (MessageError::Unsupported { .. } | MessageError::TooLarge { .. })) => {
            Verdict::Refused(refused.to_string())
        }
    }
}

/// Compares `count` generated cases; panics when one differs.
fn compare_many(name: &str, seed: u64, count: usize, case: fn(&mut Generator) -> MessageCase) {
    let mut g = Generator::new(seed);
    let cases: Vec<MessageCase> = (0..count).map(|_| case(&mut g)).collect();
    compare_all(name, &cases);
}

fn compare_all(name: &str, cases: &[MessageCase]) {
    let Some(answers) = go_answers(cases, 6) else {
        return;
    };
    assert_eq!(answers.len(), cases.len());
    let (mut agreed, mut rendered, mut refused, mut differing) =
        (0, 0, BTreeMap::new(), Vec::new());
    for (case, (outputs, errors)) in cases.iter().zip(&answers) {
        match compare(case, outputs, errors) {
            Verdict::Agrees => {
                agreed += 1;
                rendered += usize::from(errors.is_empty());
            }
            Verdict::Refused(why) => *refused.entry(why).or_insert(0) += 1,
            Verdict::Disagrees(how) => differing.push(how),
        }
    }
    println!(
        "{name}: {} templates, {agreed} agree ({rendered} rendered, {} fail alike), {} differ, refused: {refused:?}",
        cases.len(),
        agreed - rendered,
        differing.len()
    );
    let shown = differing
        .iter()
        .take(40)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(differing.is_empty(), "{} differ:\n{shown}", differing.len());
    let refusals: usize = refused.values().sum();
    assert!(
        refusals * 20 < cases.len().max(20),
        "too many are refused: {refused:?}"
    );
}

/// How many cases a suite asks; `ORACLE_CASES` asks for more.
fn case_count(usual: usize) -> usize {
    std::env::var("ORACLE_CASES").map_or(usual, |count| {
        count.parse().expect("ORACLE_CASES is a number")
    })
}

fn seed() -> u64 {
    std::env::var("ORACLE_SEED").map_or(1, |seed| seed.parse().expect("ORACLE_SEED is a number"))
}

#[test]
fn generated_templates_give_gos_messages() {
    compare_many("generated", seed(), case_count(3000), message_case);
}

#[test]
fn plain_templates_give_gos_messages() {
    compare_many(
        "plain",
        seed().wrapping_add(1000),
        case_count(1000),
        plain_message_case,
    );
}

#[test]
fn templates_of_old_give_gos_messages() {
    compare_many(
        "old",
        seed().wrapping_add(2000),
        case_count(500),
        old_message_case,
    );
}

#[test]
fn written_templates_give_gos_messages() {
    let mut cases = Vec::new();
    for (index, template) in CORPUS.iter().chain(PLAIN_CORPUS).enumerate() {
        for seed in 0..3 {
            let mut g = Generator::new(index as u64 * 10 + seed);
            cases.push(case(&mut g, template.to_string(), false));
        }
    }
    compare_all("written", &cases);
}
