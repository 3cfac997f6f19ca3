//! What a template is parsed to, and how error messages show its parts.

/// A sequence of nodes.
pub(super) type List = Vec<Node>;

/// A part of a template's text.
#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template(Call),
    Break,
    Continue,
}

impl Node {
    /// Whether nothing but white space comes of it.
    pub fn is_empty(&self) -> bool {
        matches!(self, Node::Text(text) if text.trim().is_empty())
    }
}

/// `if`, `with` or `range`.
#[derive(Debug)]
pub(super) struct Branch {
    pub pipe: Pipe,
    pub list: List,
    pub otherwise: Option<List>,
}

/// `{{template "name" pipeline}}`
#[derive(Debug)]
pub(super) struct Call {
    pub position: usize,
    pub name: String,
    pub pipe: Option<Pipe>,
}

/// Commands joined by `|`, perhaps with variables that take the result.
#[derive(Debug)]
pub(super) struct Pipe {
    pub position: usize,
    pub assigns: bool,
    pub variables: Vec<Operand>,
    pub commands: Vec<Command>,
}

/// Operands; the first may be a function or a method.
#[derive(Debug)]
pub(super) struct Command {
    pub position: usize,
    pub operands: Vec<Operand>,
}

/// One word of a command.
#[derive(Debug)]
pub(super) struct Operand {
    pub position: usize,
    pub kind: OperandKind,
}

/// What a word is.
#[derive(Debug)]
pub(super) enum OperandKind {
    Identifier(String),
    /// The names of `.a.b`.
    Field(Vec<String>),
    /// `$x` and the names after it.
    Variable(Vec<String>),
    /// Names after any other operand.
    Chain(Box<Operand>, Vec<String>),
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    String {
        quoted: String,
        text: Vec<u8>,
    },
    Pipe(Pipe),
}

/// A constant with all that it can be taken for.
#[derive(Debug, Default)]
pub(super) struct Number {
    pub text: String,
    pub int: Option<i64>,
    pub uint: Option<u64>,
    pub float: Option<f64>,
    pub complex: Option<(f64, f64)>,
}

impl Pipe {
    /// The pipeline as error messages show it.
    pub fn shown(&self) -> String {
        let mut out = String::new();
        if !self.variables.is_empty() {
            out.push_str(&joined(self.variables.iter().map(Operand::shown), ", "));
            out.push_str(if self.assigns { " = " } else { " := " });
        }
        out + &joined(self.commands.iter().map(Command::shown), " | ")
    }
}

impl Command {
    /// The command as error messages show it.
    pub fn shown(&self) -> String {
        joined(self.operands.iter().map(Operand::shown_in_parentheses), " ")
    }
}

impl Call {
    /// The call as error messages show it.
    pub fn shown(&self) -> String {
        let name = super::quoted(&self.name);
        match &self.pipe {
            None => format!("{{{{template {name}}}}}"),
            Some(pipe) => format!("{{{{template {name} {}}}}}", pipe.shown()),
        }
    }
}

impl Operand {
    /// The operand as error messages show it.
    pub fn shown(&self) -> String {
        match &self.kind {
            OperandKind::Identifier(name) => name.clone(),
            OperandKind::Field(names) => names.iter().map(|name| format!(".{name}")).collect(),
            OperandKind::Variable(names) => names.join("."),
            OperandKind::Chain(base, names) => {
                let names: String = names.iter().map(|name| format!(".{name}")).collect();
                base.shown_in_parentheses() + &names
            }
            OperandKind::Dot => ".".to_string(),
            OperandKind::Nil => "nil".to_string(),
            OperandKind::Bool(truth) => truth.to_string(),
            OperandKind::Number(number) => number.text.clone(),
            OperandKind::String { quoted, .. } => quoted.clone(),
            OperandKind::Pipe(pipe) => pipe.shown(),
        }
    }

    fn shown_in_parentheses(&self) -> String {
        match &self.kind {
            OperandKind::Pipe(pipe) => format!("({})", pipe.shown()),
            _ => self.shown(),
        }
    }
}

fn joined(parts: impl Iterator<Item = String>, separator: &str) -> String {
    parts.collect::<Vec<_>>().join(separator)
}
