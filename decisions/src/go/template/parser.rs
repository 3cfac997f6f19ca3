//! Items to nodes, with Go's complaints.

use std::collections::BTreeMap;

use super::characters;
use super::lexer::{Item, Kind, Lexer};
use super::node::{Branch, Call, Command, List, Node, Number, Operand, OperandKind, Pipe};
use super::number::{parse_float, parse_signed, parse_unsigned};
use super::quote;
use super::quoted;

/// Why a template can't be parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Go's error text.
    Syntax(String),
    /// Nested more deeply than we follow.
    TooDeep,
}

type Parsed<T> = Result<T, Failure>;

/// The deepest nesting of controls and parentheses.
const DEPTH: usize = 200;

/// The templates defined by `text`, by name; `name` is the outermost one.
pub(super) fn parse(
    name: &str,
    text: &str,
    is_function: &dyn Fn(&str) -> bool,
) -> Parsed<BTreeMap<String, List>> {
    let mut parser = Parser {
        file: name,
        lexer: Lexer::new(text),
        is_function,
        trees: BTreeMap::new(),
        tree: Tree::default(),
        depth: 0,
    };
    let root = parser.outermost()?;
    parser.add(name.to_string(), root)?;
    Ok(parser.trees)
}

/// What is kept for one template while it is read.
#[derive(Default)]
struct Tree {
    /// The last item read, and up to two that were put back before it.
    items: [Option<Item>; 3],
    waiting: usize,
    variables: Vec<String>,
    action_line: usize,
    range_depth: usize,
}

impl Tree {
    fn fresh() -> Tree {
        Tree {
            variables: vec!["$".to_string()],
            ..Tree::default()
        }
    }
}

struct Parser<'t> {
    file: &'t str,
    lexer: Lexer<'t>,
    is_function: &'t dyn Fn(&str) -> bool,
    trees: BTreeMap<String, List>,
    tree: Tree,
    depth: usize,
}

/// What ends a list.
enum End {
    End,
    /// `else`, and the keyword that follows it.
    Else(Option<Kind>),
}

impl End {
    fn shown(&self) -> &'static str {
        match self {
            End::End => "{{end}}",
            End::Else(_) => "{{else}}",
        }
    }
}

/// A node, or the end of the list.
enum Next {
    Node(Node),
    End(End),
}

impl Parser<'_> {
    fn next(&mut self) -> Item {
        if self.tree.waiting > 0 {
            self.tree.waiting -= 1;
        } else {
            self.tree.items[0] = Some(self.lexer.next_item());
        }
        self.waiting_item(self.tree.waiting)
    }

    fn waiting_item(&self, index: usize) -> Item {
        self.tree.items[index].clone().unwrap_or(Item {
            kind: Kind::Eof,
            position: 0,
            text: String::new(),
            line: 0,
        })
    }

    fn back_up(&mut self) {
        self.tree.waiting += 1;
    }

    fn put_back(&mut self, before: Item) {
        self.tree.items[1] = Some(before);
        self.tree.waiting = 2;
    }

    fn put_back_two(&mut self, before: Item, between: Item) {
        self.tree.items[1] = Some(between);
        self.tree.items[2] = Some(before);
        self.tree.waiting = 3;
    }

    fn peek(&mut self) -> Item {
        if self.tree.waiting == 0 {
            self.tree.waiting = 1;
            self.tree.items[0] = Some(self.lexer.next_item());
        }
        self.waiting_item(self.tree.waiting - 1)
    }

    fn next_non_space(&mut self) -> Item {
        loop {
            let item = self.next();
            if item.kind != Kind::Space {
                return item;
            }
        }
    }

    fn peek_non_space(&mut self) -> Item {
        let item = self.next_non_space();
        self.back_up();
        item
    }

    fn error<T>(&self, message: impl std::fmt::Display) -> Parsed<T> {
        let line = self.tree.items[0].as_ref().map_or(0, |item| item.line);
        Err(Failure::Syntax(format!(
            "template: {}:{line}: {message}",
            self.file
        )))
    }

    fn unexpected<T>(&self, item: &Item, context: &str) -> Parsed<T> {
        if item.kind != Kind::Error {
            return self.error(format!("unexpected {} in {context}", item.shown()));
        }
        let mut extra = String::new();
        let started = self.tree.action_line;
        if started != 0 && started != item.line {
            let verb = if item.text.ends_with(" action") {
                ""
            } else {
                " in action"
            };
            extra = format!("{verb} started at {}:{started}", self.file);
        }
        self.error(format!("{}{extra}", item.text))
    }

    fn expect(&mut self, kinds: &[Kind], context: &str) -> Parsed<Item> {
        let item = self.next_non_space();
        if kinds.contains(&item.kind) {
            Ok(item)
        } else {
            self.unexpected(&item, context)
        }
    }

    fn unquoted(&self, item: &Item) -> Parsed<Vec<u8>> {
        match quote::unquote(item.text.as_bytes()) {
            Some(text) => Ok(text),
            None => self.error("invalid syntax"),
        }
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == DEPTH {
            return Err(Failure::TooDeep);
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn outermost(&mut self) -> Parsed<List> {
        self.tree = Tree::fresh();
        let mut list = List::new();
        while self.peek().kind != Kind::Eof {
            if self.peek().kind == Kind::LeftDelim {
                let delim = self.next();
                if self.next_non_space().kind == Kind::Define {
                    let outer = std::mem::replace(&mut self.tree, Tree::fresh());
                    self.definition()?;
                    self.tree = outer;
                    continue;
                }
                self.put_back(delim);
            }
            match self.text_or_action()? {
                Next::Node(node) => list.push(node),
                Next::End(end) => return self.error(format!("unexpected {}", end.shown())),
            }
        }
        Ok(list)
    }

    fn definition(&mut self) -> Parsed<()> {
        let context = "define clause";
        let name = self.expect(&[Kind::String, Kind::RawString], context)?;
        let name = characters::lossy(&self.unquoted(&name)?);
        self.expect(&[Kind::RightDelim], context)?;
        let list = self.list_until_end(context)?;
        self.add(name, list)
    }

    fn list_until_end(&mut self, context: &str) -> Parsed<List> {
        match self.list()? {
            (list, End::End) => Ok(list),
            (_, end) => self.error(format!("unexpected {} in {context}", end.shown())),
        }
    }

    fn add(&mut self, name: String, list: List) -> Parsed<()> {
        let known = self.trees.get(&name);
        if known.is_none_or(|known| known.iter().all(Node::is_empty)) {
            self.trees.insert(name, list);
        } else if !list.iter().all(Node::is_empty) {
            return self.error(format!(
                "template: multiple definition of template {}",
                quoted(&name)
            ));
        }
        Ok(())
    }

    fn list(&mut self) -> Parsed<(List, End)> {
        let mut list = List::new();
        while self.peek_non_space().kind != Kind::Eof {
            match self.deeper(Self::text_or_action)? {
                Next::Node(node) => list.push(node),
                Next::End(end) => return Ok((list, end)),
            }
        }
        self.error("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Parsed<Next> {
        let item = self.next_non_space();
        match item.kind {
            Kind::Text => Ok(Next::Node(Node::Text(item.text))),
            Kind::LeftDelim => {
                self.tree.action_line = item.line;
                let next = self.action();
                self.tree.action_line = 0;
                next
            }
            _ => self.unexpected(&item, "input"),
        }
    }

    fn action(&mut self) -> Parsed<Next> {
        let item = self.next_non_space();
        let node = match item.kind {
            Kind::Block => self.block()?,
            Kind::Break => self.jump("break", Node::Break)?,
            Kind::Continue => self.jump("continue", Node::Continue)?,
            Kind::Else => return self.otherwise().map(Next::End),
            Kind::End => {
                self.expect(&[Kind::RightDelim], "end")?;
                return Ok(Next::End(End::End));
            }
            Kind::If => Node::If(self.branch("if")?),
            Kind::Range => Node::Range(self.branch("range")?),
            Kind::With => Node::With(self.branch("with")?),
            Kind::Template => self.call()?,
            _ => {
                self.back_up();
                self.peek();
                Node::Action(self.pipeline("command", Kind::RightDelim)?)
            }
        };
        Ok(Next::Node(node))
    }

    fn jump(&mut self, word: &str, node: Node) -> Parsed<Node> {
        self.expect(&[Kind::RightDelim], &format!("{{{{{word}}}}}"))?;
        if self.tree.range_depth == 0 {
            return self.error(format!("{{{{{word}}}}} outside {{{{range}}}}"));
        }
        Ok(node)
    }

    fn otherwise(&mut self) -> Parsed<End> {
        let next = self.peek_non_space();
        if matches!(next.kind, Kind::If | Kind::With) {
            return Ok(End::Else(Some(next.kind)));
        }
        self.expect(&[Kind::RightDelim], "else")?;
        Ok(End::Else(None))
    }

    fn branch(&mut self, context: &str) -> Parsed<Branch> {
        let variables = self.tree.variables.len();
        let branch = self.branch_with_variables(context);
        self.tree.variables.truncate(variables);
        branch
    }

    fn branch_with_variables(&mut self, context: &str) -> Parsed<Branch> {
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        let in_range = usize::from(context == "range");
        self.tree.range_depth += in_range;
        let (list, end) = self.list()?;
        self.tree.range_depth -= in_range;
        let otherwise = match end {
            End::End => None,
            End::Else(Some(_)) if context == "if" && self.peek().kind == Kind::If => {
                self.next();
                let branch = self.deeper(|parser| parser.branch("if"))?;
                Some(vec![Node::If(branch)])
            }
            End::Else(Some(_)) if context == "with" && self.peek().kind == Kind::With => {
                self.next();
                let branch = self.deeper(|parser| parser.branch("with"))?;
                Some(vec![Node::With(branch)])
            }
            End::Else(_) => match self.list()? {
                (list, End::End) => Some(list),
                (_, end) => {
                    return self.error(format!("expected end; found {}", end.shown()));
                }
            },
        };
        Ok(Branch {
            pipe,
            list,
            otherwise,
        })
    }

    fn block(&mut self) -> Parsed<Node> {
        let context = "block clause";
        let item = self.next_non_space();
        let name = self.template_name(&item, context)?;
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        let outer = std::mem::replace(&mut self.tree, Tree::fresh());
        let (list, end) = self.list()?;
        if !matches!(end, End::End) {
            // The complaint names the line of the block's own clause.
            self.tree = outer;
            return self.error(format!("unexpected {} in {context}", end.shown()));
        }
        self.add(name.clone(), list)?;
        self.tree = outer;
        Ok(Node::Template(Call {
            position: item.position,
            name,
            pipe: Some(pipe),
        }))
    }

    fn call(&mut self) -> Parsed<Node> {
        let context = "template clause";
        let item = self.next_non_space();
        let name = self.template_name(&item, context)?;
        let mut pipe = None;
        if self.next_non_space().kind != Kind::RightDelim {
            self.back_up();
            pipe = Some(self.pipeline(context, Kind::RightDelim)?);
        }
        Ok(Node::Template(Call {
            position: item.position,
            name,
            pipe,
        }))
    }

    fn template_name(&mut self, item: &Item, context: &str) -> Parsed<String> {
        match item.kind {
            Kind::String | Kind::RawString => Ok(characters::lossy(&self.unquoted(item)?)),
            _ => self.unexpected(item, context),
        }
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<Pipe> {
        let mut pipe = Pipe {
            position: self.peek_non_space().position,
            assigns: false,
            variables: Vec::new(),
            commands: Vec::new(),
        };
        while self.declaration(&mut pipe, context)? {}
        loop {
            let item = self.next_non_space();
            match item.kind {
                kind if kind == end => {
                    self.check_pipeline(&pipe, context)?;
                    return Ok(pipe);
                }
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.back_up();
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => return self.unexpected(&item, context),
            }
        }
    }

    /// Reads a variable that the pipeline sets; true when another one follows.
    fn declaration(&mut self, pipe: &mut Pipe, context: &str) -> Parsed<bool> {
        let variable = self.peek_non_space();
        if variable.kind != Kind::Variable {
            return Ok(false);
        }
        self.next();
        // The space between matters when the variable turns out to be an operand.
        let after = self.peek();
        let next = self.peek_non_space();
        let comma = next.kind == Kind::Char && next.text == ",";
        if !comma && !matches!(next.kind, Kind::Assign | Kind::Declare) {
            if after.kind == Kind::Space {
                self.put_back_two(variable, after);
            } else {
                self.put_back(variable);
            }
            return Ok(false);
        }
        self.next_non_space();
        self.tree.variables.push(variable.text.clone());
        pipe.variables.push(variable_operand(&variable));
        if !comma {
            pipe.assigns = next.kind == Kind::Assign;
            return Ok(false);
        }
        if context != "range" || pipe.variables.len() >= 2 {
            return self.error(format!("too many declarations in {context}"));
        }
        match self.peek_non_space().kind {
            Kind::Variable | Kind::RightDelim | Kind::RightParen => Ok(true),
            _ => self.error("range can only initialize variables"),
        }
    }

    fn check_pipeline(&self, pipe: &Pipe, context: &str) -> Parsed<()> {
        if pipe.commands.is_empty() {
            return self.error(format!("missing value for {context}"));
        }
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            let constant = matches!(
                command.operands[0].kind,
                OperandKind::Bool(_)
                    | OperandKind::Dot
                    | OperandKind::Nil
                    | OperandKind::Number(_)
                    | OperandKind::String { .. }
            );
            if constant {
                return self.error(format!(
                    "non executable command in pipeline stage {}",
                    index + 1
                ));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Parsed<Command> {
        let mut command = Command {
            position: self.peek_non_space().position,
            operands: Vec::new(),
        };
        loop {
            self.peek_non_space();
            if let Some(operand) = self.operand()? {
                command.operands.push(operand);
            }
            let item = self.next();
            match item.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.back_up(),
                Kind::Pipe => {}
                _ => return self.unexpected(&item, "operand"),
            }
            break;
        }
        if command.operands.is_empty() {
            return self.error("empty command");
        }
        Ok(command)
    }

    fn operand(&mut self) -> Parsed<Option<Operand>> {
        let Some(operand) = self.term()? else {
            return Ok(None);
        };
        let first = self.peek();
        if first.kind != Kind::Field {
            return Ok(Some(operand));
        }
        let mut names = Vec::new();
        while self.peek().kind == Kind::Field {
            names.push(self.next().text[1..].to_string());
        }
        let shown = operand.shown();
        let kind = match operand.kind {
            OperandKind::Field(first) => OperandKind::Field([first, names].concat()),
            OperandKind::Variable(first) => OperandKind::Variable([first, names].concat()),
            OperandKind::Bool(_)
            | OperandKind::String { .. }
            | OperandKind::Number(_)
            | OperandKind::Nil
            | OperandKind::Dot => {
                return self.error(format!("unexpected . after term {}", quoted(&shown)));
            }
            _ => OperandKind::Chain(Box::new(operand), names),
        };
        Ok(Some(Operand {
            position: first.position,
            kind,
        }))
    }

    fn term(&mut self) -> Parsed<Option<Operand>> {
        let item = self.next_non_space();
        let kind = match item.kind {
            Kind::Identifier => {
                if !(self.is_function)(&item.text) {
                    return self.error(format!("function {} not defined", quoted(&item.text)));
                }
                OperandKind::Identifier(item.text)
            }
            Kind::Dot => OperandKind::Dot,
            Kind::Nil => OperandKind::Nil,
            Kind::Variable => {
                if !self.tree.variables.contains(&item.text) {
                    return self.error(format!("undefined variable {}", quoted(&item.text)));
                }
                return Ok(Some(variable_operand(&item)));
            }
            Kind::Field => OperandKind::Field(vec![item.text[1..].to_string()]),
            Kind::Bool => OperandKind::Bool(item.text == "true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => match number(&item) {
                Ok(number) => OperandKind::Number(number),
                Err(message) => return self.error(message),
            },
            Kind::LeftParen => OperandKind::Pipe(
                self.deeper(|parser| parser.pipeline("parenthesized pipeline", Kind::RightParen))?,
            ),
            Kind::String | Kind::RawString => OperandKind::String {
                text: self.unquoted(&item)?,
                quoted: item.text,
            },
            _ => {
                self.back_up();
                return Ok(None);
            }
        };
        Ok(Some(Operand {
            position: item.position,
            kind,
        }))
    }
}

fn variable_operand(item: &Item) -> Operand {
    Operand {
        position: item.position,
        kind: OperandKind::Variable(vec![item.text.clone()]),
    }
}

fn number(item: &Item) -> Result<Number, String> {
    let text = item.text.as_str();
    let mut number = Number {
        text: text.to_string(),
        ..Number::default()
    };
    match item.kind {
        Kind::CharConstant => {
            let code = quote::unquote_character(text.as_bytes())?;
            number.int = Some(i64::from(code));
            number.uint = Some(u64::from(code));
            number.float = Some(f64::from(code));
            return Ok(number);
        }
        Kind::Complex => {
            let (real, imaginary) =
                complex_parts(text).ok_or("syntax error scanning complex number")?;
            number.take_complex(real, imaginary);
            return Ok(number);
        }
        _ => {}
    }
    if let Some(imaginary) = text.strip_suffix('i').and_then(parse_float) {
        number.take_complex(0.0, imaginary);
        return Ok(number);
    }
    number.uint = parse_unsigned(text, 0);
    number.int = parse_signed(text, 0);
    if number.int == Some(0) && number.uint.is_none() {
        number.uint = Some(0);
    }
    number.float = match (number.int, number.uint) {
        (Some(int), _) => Some(int as f64),
        (None, Some(uint)) => Some(uint as f64),
        (None, None) => None,
    };
    if let (None, Some(float)) = (number.float, parse_float(text)) {
        if !text.contains(['.', 'e', 'E', 'p', 'P']) {
            return Err(format!("integer overflow: {}", quoted(text)));
        }
        number.float = Some(float);
        number.take_whole(float);
    }
    if number.float.is_none() {
        return Err(format!("illegal number syntax: {}", quoted(text)));
    }
    Ok(number)
}

impl Number {
    fn take_complex(&mut self, real: f64, imaginary: f64) {
        self.complex = Some((real, imaginary));
        if imaginary == 0.0 {
            self.float = Some(real);
            self.take_whole(real);
        }
    }

    fn take_whole(&mut self, float: f64) {
        if float.trunc() == float && (-9.3e18..9.3e18).contains(&float) {
            let int = float as i64;
            self.int = (int as f64 == float && float < 9_223_372_036_854_775_808.0).then_some(int);
        }
        if float.trunc() == float && (0.0..18_446_744_073_709_551_616.0).contains(&float) {
            self.uint = Some(float as u64);
        }
    }
}

fn complex_parts(text: &str) -> Option<(f64, f64)> {
    let body = text.strip_suffix('i')?;
    let split = body
        .char_indices()
        .skip(1)
        .filter(|(index, sign)| {
            matches!(sign, '+' | '-') && !body[..*index].ends_with(['e', 'E', 'p', 'P'])
        })
        .map(|(index, _)| index)
        .next()?;
    Some((parse_float(&body[..split])?, parse_float(&body[split..])?))
}
