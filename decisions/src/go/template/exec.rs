//! Runs a parsed template over a value.

mod arguments;

use std::collections::BTreeMap;
use std::rc::Rc;

use super::format;
use super::function::{Body, Fault, Function};
use super::limits::{Bound, Limits};
use super::node::{Branch, Call, Command, List, Node, Number, Operand, OperandKind, Pipe};
use super::value::{Kind, Map, Struct, Type, Value};
use super::{Error, quoted};

type Eval<T> = Result<T, Error>;

/// The templates of one text, and what they may call.
pub(super) struct Program<'t> {
    pub name: &'t str,
    pub text: &'t str,
    pub templates: &'t BTreeMap<String, List>,
    pub functions: &'t dyn Fn(&str) -> Option<&'static Function>,
}

/// Runs the template with the program's name.
pub(super) fn run(program: &Program<'_>, data: &Value, limits: &mut Limits) -> Eval<Vec<u8>> {
    let mut out = Vec::new();
    let mut state = State {
        program,
        template: program.name,
        at: At::Nowhere,
        variables: vec![("$", data.clone())],
        depth: 0,
        limits,
        out: &mut out,
    };
    if let Some(list) = program.templates.get(program.name) {
        state.list(data, list)?;
    }
    Ok(out)
}

/// The node that an error message names.
#[derive(Clone, Copy)]
enum At<'t> {
    Nowhere,
    Pipe(&'t Pipe),
    Command(&'t Command),
    Operand(&'t Operand),
    Call(&'t Call),
}

/// How a part of a template ends.
#[derive(PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

struct State<'t, 's> {
    program: &'t Program<'t>,
    template: &'t str,
    at: At<'t>,
    variables: Vec<(&'t str, Value)>,
    depth: usize,
    limits: &'s mut Limits,
    out: &'s mut Vec<u8>,
}

impl<'t> State<'t, '_> {
    fn error<T>(&self, message: impl std::fmt::Display) -> Eval<T> {
        let (position, context) = match self.at {
            At::Nowhere => (0, String::new()),
            At::Pipe(pipe) => (pipe.position, pipe.shown()),
            At::Command(command) => (command.position, command.shown()),
            At::Operand(operand) => (operand.position, operand.shown()),
            At::Call(call) => (call.position, call.shown()),
        };
        let before = &self.program.text[..position];
        let line = 1 + before.matches('\n').count();
        let column = position - before.rfind('\n').map_or(0, |newline| newline + 1);
        Err(Error::Failed(format!(
            "template: {}:{line}:{column}: executing {} at <{context}>: {message}",
            self.program.name,
            quoted(self.template),
        )))
    }

    fn fault<T>(&self, name: &str, fault: Fault) -> Eval<T> {
        match fault {
            Fault::Error(message) => self.error(format!("error calling {name}: {message}")),
            Fault::Bound(bound) => Err(Error::TooLarge(bound)),
            Fault::Unsupported(name) => Err(Error::Unsupported(name)),
        }
    }

    fn deeper(&mut self) -> Eval<()> {
        self.limits.spend(64)?;
        self.depth += 1;
        if self.depth > self.limits.depth {
            return Err(Error::TooLarge(Bound::Depth));
        }
        Ok(())
    }

    fn write(&mut self, text: &[u8]) -> Eval<()> {
        if self.out.len() + text.len() > self.limits.output {
            return Err(Error::TooLarge(Bound::Output));
        }
        self.limits.spend(text.len())?;
        self.out.extend_from_slice(text);
        Ok(())
    }

    fn list(&mut self, dot: &Value, list: &'t List) -> Eval<Flow> {
        self.deeper()?;
        let mut flow = Flow::On;
        for node in list {
            flow = self.node(dot, node)?;
            if flow != Flow::On {
                break;
            }
        }
        self.depth -= 1;
        Ok(flow)
    }

    fn node(&mut self, dot: &Value, node: &'t Node) -> Eval<Flow> {
        match node {
            Node::Text(text) => self.write(text.as_bytes())?,
            Node::Action(pipe) => self.action(dot, pipe)?,
            Node::If(branch) => return self.branch(dot, branch, false),
            Node::With(branch) => return self.branch(dot, branch, true),
            Node::Range(branch) => return self.range(dot, branch),
            Node::Template(call) => self.call_template(dot, call)?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn action(&mut self, dot: &Value, pipe: &'t Pipe) -> Eval<()> {
        let value = self.pipeline(dot, pipe)?;
        if pipe.variables.is_empty() {
            let text = match value {
                Value::Invalid => b"<no value>".to_vec(),
                value => format::print(self.limits, &[pointed_at(value)])?,
            };
            self.write(&text)?;
        }
        Ok(())
    }

    fn branch(&mut self, dot: &Value, branch: &'t Branch, is_with: bool) -> Eval<Flow> {
        let mark = self.variables.len();
        let value = self.pipeline(dot, &branch.pipe)?;
        let flow = if value.clone().unwrapped().truth() {
            self.list(if is_with { &value } else { dot }, &branch.list)?
        } else if let Some(otherwise) = &branch.otherwise {
            self.list(dot, otherwise)?
        } else {
            Flow::On
        };
        self.variables.truncate(mark);
        Ok(flow)
    }

    fn range(&mut self, dot: &Value, branch: &'t Branch) -> Eval<Flow> {
        let outer = self.variables.len();
        let (value, _) = self.pipeline(dot, &branch.pipe)?.indirect();
        let pairs = self.pairs(&value, branch)?;
        let mut flow = Flow::On;
        if let Some(pairs) = pairs {
            self.iterate(pairs, branch)?;
        } else if let Some(otherwise) = &branch.otherwise {
            // A break in the else part ends the range itself.
            flow = self.list(dot, otherwise)?;
            if flow == Flow::Break {
                flow = Flow::On;
            }
        }
        self.variables.truncate(outer);
        Ok(flow)
    }

    fn iterate(&mut self, pairs: Pairs, branch: &'t Branch) -> Eval<()> {
        let mark = self.variables.len();
        for (index, element) in pairs {
            self.limits.spend(1)?;
            self.set_range_variables(&branch.pipe, index, &element)?;
            let flow = self.list(&element, &branch.list)?;
            self.variables.truncate(mark);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(())
    }

    fn set_range_variables(&mut self, pipe: &'t Pipe, index: Value, element: &Value) -> Eval<()> {
        let top = self.variables.len();
        match (&pipe.variables[..], pipe.assigns) {
            ([], _) => {}
            ([only], true) => self.set_variable(only, element.clone())?,
            ([first, second, ..], true) => {
                self.set_variable(first, index)?;
                self.set_variable(second, element.clone())?;
            }
            ([_], false) => self.variables[top - 1].1 = element.clone(),
            ([_, _, ..], false) => {
                self.variables[top - 1].1 = element.clone();
                self.variables[top - 2].1 = index;
            }
        }
        Ok(())
    }

    /// What a range goes over; none when there is nothing.
    fn pairs(&mut self, value: &Value, branch: &'t Branch) -> Eval<Option<Pairs>> {
        let pairs: Pairs = match value {
            Value::Invalid => return Ok(None),
            Value::Int(_)
            | Value::Int64(_)
            | Value::Named(..)
            | Value::Uint8(_)
            | Value::Uint32(_)
            | Value::Uint64(_) => {
                if branch.pipe.variables.len() > 1 {
                    let shown = format::for_error(self.limits, value)?;
                    return self.error(format!(
                        "can't use {shown} to iterate over more than one variable"
                    ));
                }
                return Ok(counted(value));
            }
            Value::List(list) if list.length == 0 => return Ok(None),
            Value::List(list) => {
                let list = list.clone();
                Box::new((0..list.length).map(move |position| {
                    let element = list.at(position).unwrap_or(Value::Invalid);
                    (Value::Int(position as i64), element)
                }))
            }
            Value::Map(map) if map.is_empty() => return Ok(None),
            Value::Map(map) => {
                let element = map.kind.element;
                self.limits.spend(map.len())?;
                let entries = map.snapshot().into_iter();
                Box::new(entries.map(move |(key, value)| (key, value.stored_as(&element))))
            }
            other => {
                let shown = format::for_error(self.limits, other)?;
                return self.error(format!("range can't iterate over {shown}"));
            }
        };
        Ok(Some(pairs))
    }

    fn call_template(&mut self, dot: &Value, call: &'t Call) -> Eval<()> {
        self.at = At::Call(call);
        let Some((name, list)) = self.program.templates.get_key_value(&call.name) else {
            return self.error(format!("template {} not defined", quoted(&call.name)));
        };
        let dot = match &call.pipe {
            None => Value::Invalid,
            Some(pipe) => self.pipeline(dot, pipe)?,
        };
        let outer = std::mem::replace(&mut self.variables, vec![("$", dot.clone())]);
        let template = std::mem::replace(&mut self.template, name);
        // The caller's node stays the caller's, as it keeps its own state.
        let at = self.at;
        self.list(&dot, list)?;
        self.at = at;
        self.template = template;
        self.variables = outer;
        Ok(())
    }

    fn set_variable(&mut self, variable: &'t Operand, value: Value) -> Eval<()> {
        let OperandKind::Variable(names) = &variable.kind else {
            return Ok(());
        };
        match self
            .variables
            .iter_mut()
            .rev()
            .find(|(name, _)| *name == names[0])
        {
            Some((_, slot)) => {
                *slot = value;
                Ok(())
            }
            None => self.error(format!("undefined variable: {}", names[0])),
        }
    }

    fn pipeline(&mut self, dot: &Value, pipe: &'t Pipe) -> Eval<Value> {
        self.deeper()?;
        self.at = At::Pipe(pipe);
        let mut value = None;
        for command in &pipe.commands {
            let result = self.command(dot, command, value)?;
            value = Some(result.unwrapped());
        }
        let value = value.unwrap_or(Value::Invalid);
        for variable in &pipe.variables {
            if pipe.assigns {
                self.set_variable(variable, value.clone())?;
            } else if let OperandKind::Variable(names) = &variable.kind {
                self.variables.push((&names[0], value.clone()));
            }
        }
        self.depth -= 1;
        Ok(value)
    }

    fn no_arguments(&self, operands: &[Operand], last: &Option<Value>) -> Eval<()> {
        if operands.len() > 1 || last.is_some() {
            return self.error(format!(
                "can't give argument to non-function {}",
                operands[0].shown()
            ));
        }
        Ok(())
    }

    fn command(&mut self, dot: &Value, command: &'t Command, last: Option<Value>) -> Eval<Value> {
        let operands = &command.operands[..];
        let first = &operands[0];
        match &first.kind {
            OperandKind::Field(_) | OperandKind::Chain(..) | OperandKind::Variable(_) => {
                self.fields(dot, first, operands, last)
            }
            OperandKind::Identifier(name) => {
                self.at = At::Operand(first);
                self.function(dot, At::Command(command), name, operands, last)
            }
            OperandKind::Pipe(pipe) => {
                self.no_arguments(operands, &last)?;
                self.pipeline(dot, pipe)
            }
            constant => {
                self.at = At::Operand(first);
                self.no_arguments(operands, &last)?;
                match constant {
                    OperandKind::Nil => self.error("nil is not a command"),
                    _ => self.constant(dot, first),
                }
            }
        }
    }

    /// A constant or the dot, where no particular type is wanted.
    fn constant(&mut self, dot: &Value, operand: &'t Operand) -> Eval<Value> {
        self.at = At::Operand(operand);
        match &operand.kind {
            OperandKind::Bool(truth) => Ok(Value::Bool(*truth)),
            OperandKind::Dot => Ok(dot.clone()),
            OperandKind::String { text, .. } => Ok(Value::text(text)),
            OperandKind::Number(number) => self.number(number),
            _ => self.error(format!("can't evaluate command {}", operand.shown())),
        }
    }

    fn number(&mut self, number: &Number) -> Eval<Value> {
        let text = number.text.as_str();
        let is_rune = text.starts_with('\'');
        let is_hexadecimal = text.len() > 2
            && text.to_ascii_lowercase().starts_with("0x")
            && !text.contains(['p', 'P']);
        let looks_float = !is_rune && !is_hexadecimal && text.contains(['.', 'e', 'E', 'p', 'P']);
        match number {
            Number {
                complex: Some((real, imaginary)),
                ..
            } => Ok(Value::Complex128(*real, *imaginary)),
            Number {
                float: Some(float), ..
            } if looks_float => Ok(Value::Float64(*float)),
            Number { int: Some(int), .. } => Ok(Value::Int(*int)),
            Number { uint: Some(_), .. } => self.error(format!("{text} overflows int")),
            _ => Ok(Value::Invalid),
        }
    }

    /// A field, a chain or a variable, with the fields that follow it.
    fn fields(
        &mut self,
        dot: &Value,
        operand: &'t Operand,
        operands: &'t [Operand],
        last: Option<Value>,
    ) -> Eval<Value> {
        self.at = At::Operand(operand);
        let (mut receiver, names) = match &operand.kind {
            OperandKind::Field(names) => (dot.clone(), &names[..]),
            OperandKind::Variable(names) => {
                let value = self
                    .variables
                    .iter()
                    .rev()
                    .find(|(name, _)| *name == names[0])
                    .map(|(_, value)| value.clone());
                let Some(value) = value else {
                    return self.error(format!("undefined variable: {}", names[0]));
                };
                (value, &names[1..])
            }
            OperandKind::Chain(base, names) => {
                if matches!(base.kind, OperandKind::Nil) {
                    return self.error(format!(
                        "indirection through explicit nil in {}",
                        operand.shown()
                    ));
                }
                (self.argument(dot, None, base)?, &names[..])
            }
            _ => return Ok(Value::Invalid),
        };
        let Some((final_name, inner)) = names.split_last() else {
            if operands.len() > 1 || last.is_some() {
                self.no_arguments(operands, &last)?;
            }
            return Ok(receiver);
        };
        for name in inner {
            receiver = self.field(dot, operand, name, &[], None, receiver)?;
        }
        self.field(dot, operand, final_name, operands, last, receiver)
    }

    fn field(
        &mut self,
        dot: &Value,
        operand: &'t Operand,
        name: &str,
        operands: &'t [Operand],
        last: Option<Value>,
        receiver: Value,
    ) -> Eval<Value> {
        let Some(kind) = receiver.kind_of_type() else {
            return Ok(Value::Invalid);
        };
        let by_pointer = matches!(receiver.clone().unwrapped(), Value::Pointer(..));
        let (target, is_nil) = receiver.indirect();
        if is_nil && target.kind() == Kind::Interface {
            return self.error(format!("nil pointer evaluating {}.{name}", kind.name()));
        }
        let call = Called {
            at: At::Operand(operand),
            name,
            operands,
            last,
        };
        let has_arguments = call.operands.len() > 1 || call.last.is_some();
        match &target {
            Value::Struct(structure) => {
                if let Some(result) = self.method(dot, structure, by_pointer, &call)? {
                    return Ok(result);
                }
                if let Some((value, exported)) = member(structure, name) {
                    if !exported {
                        return self.error(format!(
                            "{name} is an unexported field of struct type {}",
                            kind.name()
                        ));
                    }
                    if has_arguments {
                        return self.error(format!(
                            "{name} has arguments but cannot be invoked as function"
                        ));
                    }
                    return Ok(value);
                }
            }
            Value::Map(map) if matches!(map.kind.key, Type::String) => {
                if has_arguments {
                    return self.error(format!("{name} is not a method but has arguments"));
                }
                return Ok(entry(map, name));
            }
            Value::Named(named, number) => {
                if name == "String" {
                    self.arguments(dot, &call, &[], None)?;
                    return Ok(Value::text((named.text)(*number)));
                }
                if let Some(method) = named.methods.iter().find(|method| method.name == name) {
                    let arguments = self.arguments(dot, &call, method.parameters, None)?;
                    return Ok((method.call)(*number, &arguments));
                }
            }
            Value::Pointer(pointed, None)
                if pointed.fields.iter().any(|field| field.name == name) =>
            {
                return self.error(format!("nil pointer evaluating {}.{name}", kind.name()));
            }
            _ => {}
        }
        let kind_name = match kind {
            Type::Struct(kind) => kind.interface.unwrap_or(kind.name).to_string(),
            kind => kind.name(),
        };
        self.error(format!("can't evaluate field {name} in type {kind_name}"))
    }

    fn method(
        &mut self,
        dot: &Value,
        structure: &Rc<Struct>,
        by_pointer: bool,
        call: &Called<'t, '_>,
    ) -> Eval<Option<Value>> {
        if let (Some(text), "String") = (structure.kind.text, call.name) {
            self.arguments(dot, call, &[], None)?;
            return Ok(Some(Value::text(text(structure))));
        }
        let Some(method) = structure
            .kind
            .methods
            .iter()
            .find(|method| method.name == call.name && (by_pointer || !method.by_pointer))
        else {
            return Ok(None);
        };
        if let Some(why) = method.uncallable {
            self.check_count(call, method.parameters.len(), false)?;
            return self.error(why);
        }
        let arguments = self.arguments(dot, call, method.parameters, None)?;
        match (method.call)(self.limits, structure, &arguments) {
            Ok(value) => {
                self.limits.spend(size(&value))?;
                Ok(Some(value.stored_as(&method.result)))
            }
            Err(fault) => {
                self.at = call.at;
                self.fault(call.name, fault)
            }
        }
    }

    fn function(
        &mut self,
        dot: &Value,
        at: At<'t>,
        name: &'t str,
        operands: &'t [Operand],
        last: Option<Value>,
    ) -> Eval<Value> {
        let Some(function) = (self.program.functions)(name) else {
            return self.error(format!("{} is not a defined function", quoted(name)));
        };
        let call = Called {
            at,
            name,
            operands,
            last,
        };
        let code = match function.body {
            Body::ShortCircuit(stop) => return self.short_circuit(dot, function, &call, stop),
            Body::CallValue => return self.call_value(dot, function, call),
            Body::Plain(code) => Some(code),
            Body::Unsupported => None,
        };
        let arguments = self.arguments(dot, &call, function.parameters, function.variadic)?;
        let Some(code) = code else {
            return Err(Error::Unsupported(function.name));
        };
        for argument in &arguments {
            // Nearly every function reads a text from end to end.
            if let Value::String(text) = argument.clone().unwrapped() {
                self.limits.spend(text.len())?;
            }
        }
        let arguments = arguments
            .into_iter()
            .enumerate()
            .map(|(index, argument)| {
                let wanted = function.parameters.get(index).copied();
                match wanted.or(function.variadic) {
                    Some(Type::Reflect) => argument,
                    _ => argument.unwrapped(),
                }
            })
            .collect();
        match code(self.limits, arguments) {
            Ok(value) => {
                self.limits.spend(size(&value))?;
                Ok(value.stored_as(&function.result))
            }
            Err(fault) => {
                self.at = call.at;
                self.fault(name, fault)
            }
        }
    }

    fn short_circuit(
        &mut self,
        dot: &Value,
        function: &'static Function,
        call: &Called<'t, '_>,
        stop: bool,
    ) -> Eval<Value> {
        self.check_count(call, function.parameters.len(), true)?;
        let mut value = Value::Invalid;
        for operand in call.operands.iter().skip(1) {
            value = self.argument(dot, Some(Type::Reflect), operand)?;
            if value.clone().unwrapped().truth() == stop {
                return Ok(value);
            }
        }
        Ok(call.last.clone().unwrap_or(value))
    }

    /// `call`: no value is ever a function here, so this is always a mistake.
    fn call_value(
        &mut self,
        dot: &Value,
        function: &'static Function,
        call: Called<'t, '_>,
    ) -> Eval<Value> {
        let arguments = self.arguments(dot, &call, function.parameters, function.variadic)?;
        let callee = match (call.operands.get(1), &call.last) {
            (Some(operand), _) => operand.shown(),
            (None, Some(Value::String(text))) => super::characters::lossy(text),
            (None, Some(last)) => format!("<{} Value>", last.type_name()),
            (None, None) => String::new(),
        };
        let message = match arguments.into_iter().next().map(Value::unwrapped) {
            None | Some(Value::Invalid) => "call of nil".to_string(),
            Some(value) => format!("non-function {callee} of type {}", value.type_name()),
        };
        self.at = call.at;
        self.fault(call.name, Fault::Error(message))
    }
}

/// A call with its operands; the first one is what is called.
struct Called<'t, 'n> {
    at: At<'t>,
    name: &'n str,
    operands: &'t [Operand],
    last: Option<Value>,
}

type Pairs = Box<dyn Iterator<Item = (Value, Value)>>;

fn counted(value: &Value) -> Option<Pairs> {
    if let Some(end) = value.signed() {
        let like = value.clone();
        return (end > 0).then(|| -> Pairs {
            Box::new((0..end).map(move |number| {
                let number = match like {
                    Value::Int64(_) => Value::Int64(number),
                    Value::Named(kind, _) => Value::Named(kind, number),
                    _ => Value::Int(number),
                };
                (Value::Invalid, number)
            }))
        });
    }
    let end = value.unsigned()?;
    let like = value.clone();
    (end > 0).then(|| -> Pairs {
        Box::new((0..end).map(move |number| {
            let number = match like {
                Value::Uint8(_) => Value::Uint8(number as u8),
                Value::Uint32(_) => Value::Uint32(number as u32),
                _ => Value::Uint64(number),
            };
            (Value::Invalid, number)
        }))
    })
}

/// What is printed for a pointer.
fn pointed_at(value: Value) -> Value {
    match value {
        Value::Pointer(_, Some(target)) => Value::Struct(target),
        other => other,
    }
}

/// A field of the struct or of a struct embedded in it, and whether it is exported.
fn member(structure: &Struct, name: &str) -> Option<(Value, bool)> {
    let fields = || structure.kind.fields.iter().zip(&structure.fields);
    fields()
        .find(|(field, _)| field.name == name)
        .map(|(field, value)| {
            let exported = field.name.starts_with(char::is_uppercase);
            (value.clone(), exported)
        })
        .or_else(|| {
            fields()
                .filter(|(field, _)| field.embedded)
                .find_map(|(_, value)| match value {
                    Value::Struct(inner) => member(inner, name),
                    _ => None,
                })
        })
}

fn entry(map: &Map, name: &str) -> Value {
    map.get(&Value::text(name)).unwrap_or(Value::Invalid)
}

/// The steps that a result costs.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::List(list) => list.length * 16,
        Value::Map(map) => map.len() * 16,
        _ => 1,
    }
}
