//! Values with Go's types: what the engine passes around, and what the caller hands in.
//!
//! Lists and maps are references, as in Go: two variables may hold one map, and a function that
//! changes it changes it for both.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::function::Outcome;
use super::limits::Limits;

/// A Go string: bytes that need not be valid UTF-8.
pub type Text = Rc<[u8]>;

/// A Go type, as far as templates can meet it.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `int64`
    Int64,
    /// `uint8`
    Uint8,
    /// `uint32`
    Uint32,
    /// `uint64`
    Uint64,
    /// `float64`
    Float64,
    /// `complex128`
    Complex128,
    /// `string`
    String,
    /// `interface {}`
    Any,
    /// `reflect.Value`: a parameter of a builtin that takes whatever it gets.
    Reflect,
    /// A signed integer type with a name and a text of its own, like `time.Month`.
    Named(&'static NamedType),
    /// A slice type.
    List(&'static ListType),
    /// A map type.
    Map(&'static MapType),
    /// A struct type.
    Struct(&'static StructType),
    /// A pointer to a struct.
    Pointer(&'static StructType),
}

/// A named signed integer with a `String` method.
#[derive(Debug)]
pub struct NamedType {
    /// The type's name with its package.
    pub name: &'static str,
    /// The type that it is made from: `int` or `int64`.
    pub underlying: Type,
    /// What its `String` method gives.
    pub text: fn(i64) -> String,
    /// Its methods besides `String`.
    pub methods: &'static [NamedMethod],
}

/// A method of a [`NamedType`].
#[derive(Debug)]
pub struct NamedMethod {
    /// The method's name.
    pub name: &'static str,
    /// The parameters' types.
    pub parameters: &'static [Type],
    /// What it gives for the number and the arguments.
    pub call: fn(i64, &[Value]) -> Value,
}

/// A slice type.
#[derive(Debug)]
pub struct ListType {
    /// The type's name, such as `[]string`.
    pub name: &'static str,
    /// The elements' type.
    pub element: Type,
}

/// A map type.
#[derive(Debug)]
pub struct MapType {
    /// The type's name, such as `map[string]string`.
    pub name: &'static str,
    /// The keys' type.
    pub key: Type,
    /// The elements' type.
    pub element: Type,
}

/// A `MarshalJSON` method: the JSON, or Go's text about why there is none.
pub type Marshal = fn(&Struct) -> Result<String, String>;

/// A struct type.
#[derive(Debug)]
pub struct StructType {
    /// The type's name with its package.
    pub name: &'static str,
    /// The interface type with methods that its values are met through, when there is one.
    pub interface: Option<&'static str>,
    /// Its fields in order.
    pub fields: &'static [Field],
    /// Its exported methods, without `String`.
    pub methods: &'static [Method],
    /// What its `String` method gives, when it has one.
    pub text: Option<fn(&Struct) -> Vec<u8>>,
    /// Its `MarshalJSON` method, when it has one.
    pub json: Option<Marshal>,
    /// What its `GoString` method gives, when it has one.
    pub go_text: Option<fn(&Struct) -> String>,
}

/// A field of a [`StructType`].
#[derive(Debug)]
pub struct Field {
    /// The field's name; one that starts with a small letter isn't exported.
    pub name: &'static str,
    /// The name in JSON, when a tag gives one.
    pub json: Option<&'static str>,
    /// Left out of JSON when empty.
    pub omit_empty: bool,
    /// The field's type.
    pub kind: Type,
    /// The fields of an embedded struct are fields of the outer one too.
    pub embedded: bool,
}

impl Field {
    /// A field without a tag.
    pub const fn plain(name: &'static str, kind: Type) -> Self {
        Self {
            name,
            json: None,
            omit_empty: false,
            kind,
            embedded: false,
        }
    }
}

/// A method of a [`StructType`].
#[derive(Debug)]
pub struct Method {
    /// The method's name.
    pub name: &'static str,
    /// The parameters' types.
    pub parameters: &'static [Type],
    /// The result's type.
    pub result: Type,
    /// Whether only a pointer to the struct, or what it points to, has the method.
    pub by_pointer: bool,
    /// Why no template can call it, in Go's words.
    pub uncallable: Option<&'static str>,
    /// Gives the result, or how the call goes wrong.
    pub call: fn(&mut Limits, &Rc<Struct>, &[Value]) -> Outcome,
}

/// A struct's value.
#[derive(Debug)]
pub struct Struct {
    /// Its type.
    pub kind: &'static StructType,
    /// A value for each of the type's fields; what comes after them is seen by its methods only.
    pub fields: Vec<Value>,
}

/// A slice: a window on items that others may see as well.
#[derive(Clone, Debug)]
pub struct List {
    /// Its type.
    pub kind: &'static ListType,
    /// The items up to the capacity; `None` is Go's nil slice.
    pub items: Option<Rc<RefCell<Vec<Value>>>>,
    /// Where the window begins.
    pub start: usize,
    /// How many items it shows.
    pub length: usize,
}

/// A map; its keys are in the order in which Go prints them.
#[derive(Clone, Debug)]
pub struct Map {
    /// Its type.
    pub kind: &'static MapType,
    /// The entries; `None` is Go's nil map.
    pub entries: Option<Rc<RefCell<BTreeMap<Key, Value>>>>,
}

/// A value.
#[derive(Clone, Debug)]
pub enum Value {
    /// No value at all; inside an interface it is nil.
    Invalid,
    /// A value whose static type is `interface {}`.
    Interface(Rc<Value>),
    /// A boolean.
    Bool(bool),
    /// An `int`.
    Int(i64),
    /// An `int64`.
    Int64(i64),
    /// A signed integer with a named type.
    Named(&'static NamedType, i64),
    /// A `uint8`.
    Uint8(u8),
    /// A `uint32`.
    Uint32(u32),
    /// A `uint64`.
    Uint64(u64),
    /// A `float64`.
    Float64(f64),
    /// A `complex128`.
    Complex128(f64, f64),
    /// A string.
    String(Text),
    /// A slice.
    List(List),
    /// A map.
    Map(Map),
    /// A struct.
    Struct(Rc<Struct>),
    /// A pointer to a struct, `None` is nil.
    Pointer(&'static StructType, Option<Rc<Struct>>),
}

/// Go's kinds, as far as templates can meet them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `invalid`
    Invalid,
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `int64`
    Int64,
    /// `uint8`
    Uint8,
    /// `uint32`
    Uint32,
    /// `uint64`
    Uint64,
    /// `float64`
    Float64,
    /// `complex128`
    Complex128,
    /// `string`
    String,
    /// `interface`
    Interface,
    /// `slice`
    Slice,
    /// `map`
    Map,
    /// `struct`
    Struct,
    /// `ptr`
    Pointer,
}

/// `[]interface {}`
pub static ANY_LIST: ListType = ListType {
    name: "[]interface {}",
    element: Type::Any,
};
/// `[][]interface {}`
pub static ANY_LISTS: ListType = ListType {
    name: "[][]interface {}",
    element: Type::List(&ANY_LIST),
};
/// `[]string`
pub static STRING_LIST: ListType = ListType {
    name: "[]string",
    element: Type::String,
};
/// `[]uint8`
pub static BYTES: ListType = ListType {
    name: "[]uint8",
    element: Type::Uint8,
};
/// `[]int`
pub static INT_LIST: ListType = ListType {
    name: "[]int",
    element: Type::Int,
};
/// `map[string]interface {}`
pub static DICT: MapType = MapType {
    name: "map[string]interface {}",
    key: Type::String,
    element: Type::Any,
};
/// `map[string]string`
pub static STRING_MAP: MapType = MapType {
    name: "map[string]string",
    key: Type::String,
    element: Type::String,
};

impl Type {
    /// The type's name as Go prints it.
    pub fn name(&self) -> String {
        match self {
            Type::Pointer(kind) => format!("*{}", kind.name),
            other => other.plain_name().to_string(),
        }
    }

    fn plain_name(&self) -> &'static str {
        match self {
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Int64 => "int64",
            Type::Uint8 => "uint8",
            Type::Uint32 => "uint32",
            Type::Uint64 => "uint64",
            Type::Float64 => "float64",
            Type::Complex128 => "complex128",
            Type::String => "string",
            Type::Any => "interface {}",
            Type::Reflect => "reflect.Value",
            Type::Named(kind) => kind.name,
            Type::List(kind) => kind.name,
            Type::Map(kind) => kind.name,
            Type::Struct(kind) | Type::Pointer(kind) => kind.name,
        }
    }

    /// Whether both are the same type.
    pub fn same(&self, other: &Type) -> bool {
        matches!(self, Type::Pointer(_)) == matches!(other, Type::Pointer(_))
            && self.plain_name() == other.plain_name()
    }

    /// Whether a value of this type may stand where `wanted` is expected.
    pub fn assignable_to(&self, wanted: &Type) -> bool {
        matches!(wanted, Type::Any) || self.same(wanted)
    }

    /// Whether nil is a value of the type.
    pub fn can_be_nil(&self) -> bool {
        matches!(
            self,
            Type::Any | Type::Reflect | Type::List(_) | Type::Map(_) | Type::Pointer(_)
        )
    }

    /// The kind that values of the type have.
    pub fn kind(&self) -> Kind {
        match self {
            Type::Bool => Kind::Bool,
            Type::Int => Kind::Int,
            Type::Int64 => Kind::Int64,
            Type::Named(named) => named.underlying.kind(),
            Type::Uint8 => Kind::Uint8,
            Type::Uint32 => Kind::Uint32,
            Type::Uint64 => Kind::Uint64,
            Type::Float64 => Kind::Float64,
            Type::Complex128 => Kind::Complex128,
            Type::String => Kind::String,
            Type::Any => Kind::Interface,
            Type::Reflect | Type::Struct(_) => Kind::Struct,
            Type::List(_) => Kind::Slice,
            Type::Map(_) => Kind::Map,
            Type::Pointer(_) => Kind::Pointer,
        }
    }

    /// The type's zero value.
    pub fn zero(&self) -> Value {
        match self {
            Type::Bool => Value::Bool(false),
            Type::Int => Value::Int(0),
            Type::Int64 => Value::Int64(0),
            Type::Uint8 => Value::Uint8(0),
            Type::Uint32 => Value::Uint32(0),
            Type::Uint64 => Value::Uint64(0),
            Type::Float64 => Value::Float64(0.0),
            Type::Complex128 => Value::Complex128(0.0, 0.0),
            Type::String => Value::text(""),
            Type::Any => Value::nil(),
            Type::Reflect => Value::Invalid,
            Type::Named(kind) => Value::Named(kind, 0),
            Type::List(kind) => Value::List(List {
                kind,
                items: None,
                start: 0,
                length: 0,
            }),
            Type::Map(kind) => Value::Map(Map {
                kind,
                entries: None,
            }),
            Type::Struct(kind) => Value::Struct(Rc::new(Struct {
                kind,
                fields: kind.fields.iter().map(|field| field.kind.zero()).collect(),
            })),
            Type::Pointer(kind) => Value::Pointer(kind, None),
        }
    }
}

impl Kind {
    /// The kind's name, as `kindOf` gives it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Invalid => "invalid",
            Kind::Bool => "bool",
            Kind::Int => "int",
            Kind::Int64 => "int64",
            Kind::Uint8 => "uint8",
            Kind::Uint32 => "uint32",
            Kind::Uint64 => "uint64",
            Kind::Float64 => "float64",
            Kind::Complex128 => "complex128",
            Kind::String => "string",
            Kind::Interface => "interface",
            Kind::Slice => "slice",
            Kind::Map => "map",
            Kind::Struct => "struct",
            Kind::Pointer => "ptr",
        }
    }
}

impl Value {
    /// A string.
    pub fn text(text: impl AsRef<[u8]>) -> Value {
        Value::String(Rc::from(text.as_ref()))
    }

    /// A nil interface.
    pub fn nil() -> Value {
        Value::Interface(Rc::new(Value::Invalid))
    }

    /// A list of bytes that nobody else sees.
    pub fn bytes(bytes: &[u8]) -> Value {
        Value::list(&BYTES, bytes.iter().copied().map(Value::Uint8).collect())
    }

    /// A list that nobody else sees.
    pub fn list(kind: &'static ListType, items: Vec<Value>) -> Value {
        Value::List(List::new(kind, items))
    }

    /// A map that nobody else sees.
    #[expect(
        clippy::mutable_key_type,
        reason = "keys are strings and structs of strings, which nothing changes"
    )]
    pub fn map(kind: &'static MapType, entries: impl IntoIterator<Item = (Value, Value)>) -> Value {
        let entries = entries
            .into_iter()
            .map(|(key, value)| (Key(key), value))
            .collect();
        Value::Map(Map {
            kind,
            entries: Some(Rc::new(RefCell::new(entries))),
        })
    }

    /// A struct; `fields` has one value for each of the type's fields, then the hidden ones.
    pub fn structure(kind: &'static StructType, fields: Vec<Value>) -> Value {
        Value::Struct(Rc::new(Struct { kind, fields }))
    }

    /// The value's type; none for no value.
    pub fn kind_of_type(&self) -> Option<Type> {
        Some(match self {
            Value::Invalid => return None,
            Value::Interface(_) => Type::Any,
            Value::Bool(_) => Type::Bool,
            Value::Int(_) => Type::Int,
            Value::Int64(_) => Type::Int64,
            Value::Named(kind, _) => Type::Named(kind),
            Value::Uint8(_) => Type::Uint8,
            Value::Uint32(_) => Type::Uint32,
            Value::Uint64(_) => Type::Uint64,
            Value::Float64(_) => Type::Float64,
            Value::Complex128(..) => Type::Complex128,
            Value::String(_) => Type::String,
            Value::List(list) => Type::List(list.kind),
            Value::Map(map) => Type::Map(map.kind),
            Value::Struct(structure) => Type::Struct(structure.kind),
            Value::Pointer(kind, _) => Type::Pointer(kind),
        })
    }

    /// The name of the value's type; `<nil>` for no value, as `%T` prints it.
    pub fn type_name(&self) -> String {
        self.kind_of_type()
            .map_or_else(|| "<nil>".to_string(), |kind| kind.name())
    }

    /// The value's kind.
    pub fn kind(&self) -> Kind {
        self.kind_of_type()
            .map_or(Kind::Invalid, |kind| kind.kind())
    }

    /// The value inside an interface, or the value itself.
    pub fn unwrapped(self) -> Value {
        match self {
            Value::Interface(inner) => (*inner).clone(),
            other => other,
        }
    }

    /// Follows interfaces and pointers; the flag says that a nil ended the way.
    pub fn indirect(self) -> (Value, bool) {
        match self {
            Value::Interface(inner) if matches!(*inner, Value::Invalid) => {
                (Value::Interface(inner), true)
            }
            Value::Interface(inner) => (*inner).clone().indirect(),
            Value::Pointer(kind, None) => (Value::Pointer(kind, None), true),
            Value::Pointer(_, Some(target)) => (Value::Struct(target), false),
            other => (other, false),
        }
    }

    /// The value as one whose static type is `kind`.
    pub fn stored_as(self, kind: &Type) -> Value {
        match (kind, self) {
            (Type::Any, Value::Interface(inner)) => Value::Interface(inner),
            (Type::Any, other) => Value::Interface(Rc::new(other)),
            (_, other) => other,
        }
    }

    /// Whether the template takes the value for true.
    pub fn truth(&self) -> bool {
        match self {
            Value::Invalid => false,
            Value::Interface(inner) => !matches!(**inner, Value::Invalid),
            Value::Bool(value) => *value,
            Value::Int(value) | Value::Int64(value) | Value::Named(_, value) => *value != 0,
            Value::Uint8(value) => *value != 0,
            Value::Uint32(value) => *value != 0,
            Value::Uint64(value) => *value != 0,
            Value::Float64(value) => *value != 0.0,
            Value::Complex128(real, imaginary) => *real != 0.0 || *imaginary != 0.0,
            Value::String(text) => !text.is_empty(),
            Value::List(list) => list.length > 0,
            Value::Map(map) => !map.is_empty(),
            Value::Struct(_) => true,
            Value::Pointer(_, target) => target.is_some(),
        }
    }

    /// The value of a signed integer.
    pub fn signed(&self) -> Option<i64> {
        match self {
            Value::Int(value) | Value::Int64(value) | Value::Named(_, value) => Some(*value),
            _ => None,
        }
    }

    /// The value of an unsigned integer.
    pub fn unsigned(&self) -> Option<u64> {
        match self {
            Value::Uint8(value) => Some(u64::from(*value)),
            Value::Uint32(value) => Some(u64::from(*value)),
            Value::Uint64(value) => Some(*value),
            _ => None,
        }
    }

    /// The bytes of a list of bytes.
    pub fn as_bytes(&self) -> Option<Vec<u8>> {
        match self {
            Value::List(list) if matches!(list.kind.element, Type::Uint8) => {
                let items = list.snapshot();
                let bytes = items.iter().map(|item| item.unsigned().unwrap_or(0) as u8);
                Some(bytes.collect())
            }
            _ => None,
        }
    }

    /// Whether the value is nil, in any of Go's ways.
    pub fn is_nil(&self) -> bool {
        match self {
            Value::Invalid | Value::Pointer(_, None) => true,
            Value::Interface(inner) => matches!(**inner, Value::Invalid),
            Value::List(list) => list.items.is_none(),
            Value::Map(map) => map.entries.is_none(),
            _ => false,
        }
    }

    /// What the value's `GoString` method gives, when its type has one that the value can call.
    pub fn go_text(&self) -> Option<String> {
        match self {
            Value::Struct(structure) | Value::Pointer(_, Some(structure)) => {
                structure.kind.go_text.map(|text| text(structure))
            }
            _ => None,
        }
    }

    /// What the value's `String` method gives, when its type has one that the value can call.
    pub fn stringer(&self) -> Option<Vec<u8>> {
        match self {
            Value::Named(kind, value) => Some((kind.text)(*value).into_bytes()),
            Value::Struct(structure) => structure.kind.text.map(|text| text(structure)),
            Value::Pointer(_, Some(structure)) => structure.kind.text.map(|text| text(structure)),
            _ => None,
        }
    }
}

impl List {
    /// A list that nobody else sees, without spare capacity.
    pub fn new(kind: &'static ListType, items: Vec<Value>) -> List {
        List {
            kind,
            length: items.len(),
            items: Some(Rc::new(RefCell::new(items))),
            start: 0,
        }
    }

    /// A list that nobody else sees, shorter than its capacity, which `items` fills.
    pub fn with_capacity(kind: &'static ListType, mut items: Vec<Value>, capacity: usize) -> List {
        let length = items.len();
        items.resize_with(capacity.max(length), || kind.element.zero().unwrapped());
        List {
            kind,
            items: Some(Rc::new(RefCell::new(items))),
            start: 0,
            length,
        }
    }

    /// The items as they are now; those of interface type are bare.
    pub fn snapshot(&self) -> Vec<Value> {
        match &self.items {
            None => Vec::new(),
            Some(items) => items.borrow()[self.start..self.start + self.length].to_vec(),
        }
    }

    /// The item at `position`, as Go's indexing gives it.
    pub fn at(&self, position: usize) -> Option<Value> {
        let items = self.items.as_ref()?;
        if position >= self.length {
            return None;
        }
        let item = items.borrow().get(self.start + position)?.clone();
        Some(item.stored_as(&self.kind.element))
    }

    /// How many items the list may grow to without moving.
    pub fn capacity(&self) -> usize {
        self.items
            .as_ref()
            .map_or(0, |items| items.borrow().len() - self.start)
    }
}

impl Map {
    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries
            .as_ref()
            .map_or(0, |entries| entries.borrow().len())
    }

    /// The entries as they are now, in the order of their keys; values of interface type are bare.
    pub fn snapshot(&self) -> Vec<(Value, Value)> {
        match &self.entries {
            None => Vec::new(),
            Some(entries) => entries
                .borrow()
                .iter()
                .map(|(key, value)| (key.0.clone(), value.clone()))
                .collect(),
        }
    }

    /// The value of `key`, as Go's indexing gives it.
    pub fn get(&self, key: &Value) -> Option<Value> {
        let entries = self.entries.as_ref()?;
        let value = entries.borrow().get(&Key(key.clone()))?.clone();
        Some(value.stored_as(&self.kind.element))
    }

    /// Sets `key`; false for a nil map.
    pub fn set(&self, key: Value, value: Value) -> bool {
        match &self.entries {
            None => false,
            Some(entries) => {
                entries.borrow_mut().insert(Key(key), value.unwrapped());
                true
            }
        }
    }
}

/// A map's key, ordered as Go's printing orders it.
#[derive(Clone, Debug)]
pub struct Key(pub Value);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Value::String(one), Value::String(two)) => one.cmp(two),
            (Value::Struct(one), Value::Struct(two)) => one
                .fields
                .iter()
                .zip(&two.fields)
                .map(|(one, two)| Key(one.clone()).cmp(&Key(two.clone())))
                .find(|order| *order != Ordering::Equal)
                .unwrap_or(Ordering::Equal),
            (Value::Bool(one), Value::Bool(two)) => one.cmp(two),
            (one, two) => match (one.signed(), two.signed(), one.unsigned(), two.unsigned()) {
                (Some(one), Some(two), _, _) => one.cmp(&two),
                (_, _, Some(one), Some(two)) => one.cmp(&two),
                _ => one.type_name().cmp(&two.type_name()),
            },
        }
    }
}
