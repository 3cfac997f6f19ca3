//! Arguments: how many there are, and what each may be.

use super::{At, Called, Eval, State};
use crate::go::template::node::{Operand, OperandKind};
use crate::go::template::value::{Type, Value};

impl<'t> State<'t, '_> {
    pub(super) fn check_count(
        &self,
        call: &Called<'_, '_>,
        fixed: usize,
        variadic: bool,
    ) -> Eval<()> {
        let given = call.operands.len().saturating_sub(1);
        let count = given + usize::from(call.last.is_some());
        let name = call.name;
        if variadic && count < fixed {
            return self.error(format!(
                "wrong number of args for {name}: want at least {fixed} got {given}"
            ));
        }
        if !variadic && count != fixed {
            return self.error(format!(
                "wrong number of args for {name}: want {fixed} got {count}"
            ));
        }
        Ok(())
    }

    pub(super) fn arguments(
        &mut self,
        dot: &Value,
        call: &Called<'t, '_>,
        fixed: &[Type],
        variadic: Option<Type>,
    ) -> Eval<Vec<Value>> {
        self.check_count(call, fixed.len(), variadic.is_some())?;
        let wanted = |index: usize| fixed.get(index).copied().or(variadic);
        let mut arguments = Vec::new();
        for (index, operand) in call.operands.iter().skip(1).enumerate() {
            arguments.push(self.argument(dot, wanted(index), operand)?);
        }
        if let Some(last) = call.last.clone() {
            // Go checks the piped value against the last parameter even when fewer are given.
            arguments.push(self.checked(last, wanted(arguments.len()))?);
        }
        Ok(arguments)
    }

    /// Makes sure that the value can stand where `wanted` is expected.
    pub(super) fn checked(&mut self, value: Value, wanted: Option<Type>) -> Eval<Value> {
        let Some(wanted) = wanted else {
            return Ok(value);
        };
        let Some(kind) = value.kind_of_type() else {
            if wanted.can_be_nil() {
                return Ok(wanted.zero());
            }
            return self.error(format!("invalid value; expected {}", wanted.name()));
        };
        if matches!(wanted, Type::Reflect) || kind.assignable_to(&wanted) {
            return Ok(value);
        }
        let value = match value {
            Value::Interface(inner) if !matches!(*inner, Value::Invalid) => (*inner).clone(),
            other => other,
        };
        let kind = value.kind_of_type().unwrap_or(Type::Any);
        if kind.assignable_to(&wanted) {
            return Ok(value);
        }
        match (&value, wanted) {
            (Value::Pointer(pointed, target), Type::Struct(wanted_struct))
                if pointed.name == wanted_struct.name =>
            {
                match target {
                    Some(target) => Ok(Value::Struct(target.clone())),
                    None => self.error(format!(
                        "dereference of nil pointer of type {}",
                        wanted.name()
                    )),
                }
            }
            _ => self.error(format!(
                "wrong type for value; expected {}; got {}",
                wanted.name(),
                kind.name()
            )),
        }
    }

    pub(super) fn argument(
        &mut self,
        dot: &Value,
        wanted: Option<Type>,
        operand: &'t Operand,
    ) -> Eval<Value> {
        self.at = At::Operand(operand);
        let value = match &operand.kind {
            OperandKind::Dot => dot.clone(),
            OperandKind::Nil => {
                return match wanted {
                    Some(wanted) if wanted.can_be_nil() => Ok(wanted.zero()),
                    wanted => self.error(format!(
                        "cannot assign nil to {}",
                        wanted.map_or_else(String::new, |wanted| wanted.name())
                    )),
                };
            }
            OperandKind::Field(_) | OperandKind::Variable(_) | OperandKind::Chain(..) => {
                self.fields(dot, operand, &[], None)?
            }
            OperandKind::Pipe(pipe) => self.pipeline(dot, pipe)?,
            OperandKind::Identifier(name) => {
                self.at = At::Operand(operand);
                self.function(dot, At::Operand(operand), name, &[], None)?
            }
            _ => return self.typed_constant(dot, wanted, operand),
        };
        self.checked(value, wanted)
    }

    pub(super) fn typed_constant(
        &mut self,
        dot: &Value,
        wanted: Option<Type>,
        operand: &'t Operand,
    ) -> Eval<Value> {
        let Some(wanted) = wanted else {
            return self.constant(dot, operand);
        };
        let number = match &operand.kind {
            OperandKind::Number(number) => Some(number),
            _ => None,
        };
        let (value, expected) = match wanted {
            Type::Any | Type::Reflect => return self.constant(dot, operand),
            Type::Bool => match &operand.kind {
                OperandKind::Bool(truth) => (Some(Value::Bool(*truth)), "bool"),
                _ => (None, "bool"),
            },
            Type::String => match &operand.kind {
                OperandKind::String { text, .. } => (Some(Value::text(text)), "string"),
                _ => (None, "string"),
            },
            Type::Named(named) => (
                number.and_then(|n| n.int).map(|n| Value::Named(named, n)),
                "integer",
            ),
            Type::Int => (number.and_then(|n| n.int).map(Value::Int), "integer"),
            Type::Int64 => (number.and_then(|n| n.int).map(Value::Int64), "integer"),
            Type::Uint8 => (
                number.and_then(|n| n.uint).map(|n| Value::Uint8(n as u8)),
                "unsigned integer",
            ),
            Type::Uint32 => (
                number.and_then(|n| n.uint).map(|n| Value::Uint32(n as u32)),
                "unsigned integer",
            ),
            Type::Uint64 => (
                number.and_then(|n| n.uint).map(Value::Uint64),
                "unsigned integer",
            ),
            Type::Float64 => (number.and_then(|n| n.float).map(Value::Float64), "float"),
            _ => {
                return self.error(format!(
                    "can't handle {} for arg of type {}",
                    operand.shown(),
                    wanted.name()
                ));
            }
        };
        match value {
            Some(value) => Ok(value),
            None => self.error(format!("expected {expected}; found {}", operand.shown())),
        }
    }
}
