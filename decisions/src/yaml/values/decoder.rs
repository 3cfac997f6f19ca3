//! From nodes to values. What the library does by calling itself is a stack of steps here.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use super::scalar::{Found, is_merge, tag_of, value_of};
use super::{Map, Value, Values};
use crate::go::text::quote;
use crate::go::time::Zone;
use crate::yaml::composer::lines_of_nodes;
use crate::yaml::text::check;
use crate::yaml::tree::{Children, Kind, NodeId, View};

/// So many complaints are told at most, and so many bytes of them and the one in which they end.
const MOST_COMPLAINTS: usize = 200;
const MOST_BYTES: usize = 1 << 16;

/// Decodes a whole document into a mapping with strings as keys.
pub(super) fn decode(view: View<'_>) -> Result<Values<'_>, String> {
    let mut decoder = Decoder {
        view,
        values: Values {
            view,
            items: Vec::new(),
            lists: Vec::new(),
            maps: Vec::new(),
            times: Vec::new(),
            binaries: Vec::new(),
        },
        targets: targets(view),
        followed: HashSet::new(),
        lines: OnceCell::new(),
        complaints: Vec::new(),
        told: 0,
        decoded: 0,
        aliased: 0,
        depth_of_aliases: 0,
        merged: None,
        merged_sets: Vec::new(),
        steps: Vec::new(),
        result: None,
    };
    let root = decoder.new_map(true);
    let failed = |problem: String| format!("yaml: {problem}");
    decoder
        .run(view.root(), Target::Into(root))
        .map_err(failed)?;
    if decoder.complaints.is_empty() {
        return Ok(decoder.values);
    }
    let complaints = decoder.complaints.join("\n  ");
    Err(failed(format!("unmarshal errors:\n  {complaints}")))
}

/// What the aliases of a document stand for: each for the last node before it with that anchor.
fn targets(view: View<'_>) -> HashMap<NodeId, NodeId> {
    let mut anchors: HashMap<&str, NodeId> = HashMap::new();
    let mut targets = HashMap::new();
    for id in view.source_nodes() {
        if view.kind(id) == Kind::Alias {
            if let Some(target) = anchors.get(view.value(id)) {
                targets.insert(id, *target);
            }
            continue;
        }
        let name = view.anchor(id);
        if !name.is_empty() {
            anchors.insert(name, id);
        }
    }
    targets
}

/// What a node is decoded into.
#[derive(Clone, Copy)]
enum Target {
    Any,
    /// A string: the key of a mapping that has no others.
    Text,
    /// A mapping that is there.
    Into(u32),
}

/// A mapping that is being decoded.
struct Mapping<'t> {
    node: NodeId,
    out: u32,
    /// Whether `out` is a value of its own, and not one that was there.
    is_new: bool,
    children: Children<'t>,
    /// The set of keys that were merged before, to which this mapping's are added.
    merged: Option<usize>,
    /// The node that is merged after all else.
    merge: Option<NodeId>,
    at: Place,
}

enum Place {
    NextField,
    Key(NodeId),
    Value(Value),
}

/// A mapping into which others are merged.
struct Merge<'t> {
    node: NodeId,
    out: u32,
    is_new: bool,
    /// The set that is used again afterwards.
    before: Option<usize>,
    /// The parent's fields, whose keys are not to be overwritten, as long as they are noted.
    own: Option<Children<'t>>,
    items: Option<Children<'t>>,
}

enum Step<'t> {
    Enter(NodeId, Target),
    LeaveAlias(NodeId),
    List(Children<'t>, Vec<Value>),
    Map(Box<Mapping<'t>>),
    Merge(Box<Merge<'t>>),
}

/// What tells a key from others.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Identity<'t> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(u64),
    Text(Cow<'t, [u8]>),
    Time(i64, u32, bool),
}

struct Decoder<'t> {
    view: View<'t>,
    values: Values<'t>,
    targets: HashMap<NodeId, NodeId>,
    /// The aliases that are being followed.
    followed: HashSet<NodeId>,
    /// The lines of the nodes, as soon as they are asked for.
    lines: OnceCell<Vec<u32>>,
    complaints: Vec<String>,
    told: usize,
    decoded: u64,
    aliased: u64,
    depth_of_aliases: u32,
    /// The set of the keys that were merged so far, inside of a merge.
    merged: Option<usize>,
    merged_sets: Vec<HashSet<Identity<'t>>>,
    steps: Vec<Step<'t>>,
    /// The value of the last node, if it has one.
    result: Option<Value>,
}

type Done = Result<(), String>;

impl<'t> Decoder<'t> {
    fn run(&mut self, root: NodeId, target: Target) -> Done {
        self.steps.push(Step::Enter(root, target));
        while let Some(step) = self.steps.pop() {
            match step {
                Step::Enter(node, target) => self.enter(node, target)?,
                Step::LeaveAlias(node) => {
                    self.followed.remove(&node);
                    self.depth_of_aliases -= 1;
                }
                Step::List(children, items) => self.list(children, items),
                Step::Map(mapping) => self.map(mapping)?,
                Step::Merge(merge) => self.merge(merge)?,
            }
        }
        Ok(())
    }

    fn new_map(&mut self, has_only_texts: bool) -> u32 {
        self.values.maps.push(Map {
            has_only_texts,
            fields: Vec::new(),
        });
        self.values.maps.len() as u32 - 1
    }

    /// Counts a step, and refuses texts that are mostly made by aliases.
    fn count(&mut self) -> Done {
        const LOW: f64 = 400_000.0;
        const HIGH: f64 = 4_000_000.0;
        self.decoded += 1;
        self.aliased += u64::from(self.depth_of_aliases > 0);
        let decoded = self.decoded as f64;
        let allowed = if decoded <= LOW {
            0.99
        } else if decoded >= HIGH {
            0.10
        } else {
            0.99 - 0.89 * ((decoded - LOW) / (HIGH - LOW))
        };
        let is_excessive = self.aliased as f64 / decoded > allowed;
        if self.aliased > 100 && self.decoded > 1000 && is_excessive {
            return Err("document contains excessive aliasing".to_owned());
        }
        Ok(())
    }

    fn enter(&mut self, node: NodeId, target: Target) -> Done {
        self.count()?;
        match self.view.kind(node) {
            Kind::Alias => {
                let name = self.view.value(node);
                let Some(of) = self.targets.get(&node).copied() else {
                    return Err(format!("unknown anchor '{name}' referenced"));
                };
                if !self.followed.insert(node) {
                    return Err(format!("anchor '{name}' value contains itself"));
                }
                self.depth_of_aliases += 1;
                self.steps.push(Step::LeaveAlias(node));
                self.steps.push(Step::Enter(of, target));
            }
            Kind::Scalar => self.result = self.scalar(node, target)?,
            Kind::Sequence => match target {
                Target::Any => {
                    let children = self.view.children(node);
                    self.steps.push(Step::List(children, Vec::new()));
                    self.result = None;
                }
                target => self.refuse(node, target),
            },
            Kind::Mapping => self.enter_map(node, target),
        }
        Ok(())
    }

    fn scalar(&mut self, node: NodeId, target: Target) -> Result<Option<Value>, String> {
        let value = match value_of(self.view, node)? {
            Found::Small(value) => value,
            Found::Binary(bytes) => {
                self.values.binaries.push(bytes);
                Value::Binary(self.values.binaries.len() as u32 - 1)
            }
            Found::Time(time) => {
                self.values.times.push(time);
                Value::Time(self.values.times.len() as u32 - 1)
            }
        };
        match target {
            Target::Any => Ok(Some(value)),
            // No string can be null, and none is.
            Target::Text => Ok(match value {
                Value::Null => None,
                Value::Binary(_) => Some(value),
                _ => Some(Value::Text(node)),
            }),
            Target::Into(_) => {
                if !matches!(value, Value::Null) {
                    self.refuse(node, target);
                }
                Ok(None)
            }
        }
    }

    /// Complains that a node is nothing that it could be decoded into.
    fn refuse(&mut self, node: NodeId, target: Target) {
        let tag = tag_of(self.view, node);
        let mut value = String::new();
        if tag != "!!seq" && tag != "!!map" {
            let text = self.view.value(node);
            value = if text.len() > 10 {
                format!(" `{}...`", String::from_utf8_lossy(&text.as_bytes()[..7]))
            } else {
                format!(" `{text}`")
            };
        }
        let wanted = match target {
            Target::Into(_) => "map[string]interface {}",
            Target::Text | Target::Any => "string",
        };
        let line = self.line_of(node);
        self.complain(format!(
            "line {line}: cannot unmarshal {tag}{value} into {wanted}"
        ));
        self.result = None;
    }

    fn complain(&mut self, complaint: String) {
        if !self.has_complained_enough() {
            self.told += complaint.len();
            self.complaints.push(complaint);
        }
    }

    fn has_complained_enough(&self) -> bool {
        self.complaints.len() >= MOST_COMPLAINTS || self.told >= MOST_BYTES
    }

    fn line_of(&self, node: NodeId) -> u32 {
        let lines = self
            .lines
            .get_or_init(|| lines_of_nodes(&check(self.view.source_text().as_bytes())));
        let at = node.0 - self.view.root().0;
        lines.get(at as usize).copied().unwrap_or_default()
    }

    fn list(&mut self, mut children: Children<'t>, mut items: Vec<Value>) {
        items.extend(self.result.take());
        if let Some(item) = children.next() {
            self.steps.push(Step::List(children, items));
            self.steps.push(Step::Enter(item, Target::Any));
            return;
        }
        let start = self.values.items.len() as u32;
        self.values.items.append(&mut items);
        self.values
            .lists
            .push((start, self.values.items.len() as u32));
        let number = self.values.lists.len() as u32 - 1;
        self.result = Some(Value::List(number));
    }

    fn enter_map(&mut self, node: NodeId, target: Target) {
        if self.has_repeated_keys(node) {
            self.result = None;
            return;
        }
        let out = match target {
            Target::Text => return self.refuse(node, target),
            Target::Into(out) => out,
            Target::Any => self.new_map(self.has_only_texts(node)),
        };
        self.steps.push(Step::Map(Box::new(Mapping {
            node,
            out,
            is_new: matches!(target, Target::Any),
            children: self.view.children(node),
            merged: self.merged.take(),
            merge: None,
            at: Place::NextField,
        })));
    }

    /// Complains about each pair of keys with the same text.
    fn has_repeated_keys(&mut self, node: NodeId) -> bool {
        let view = self.view;
        let of = |key: &NodeId| (view.kind(*key) as u8, view.value(*key));
        let mut met = HashSet::new();
        if view.fields(node).all(|(key, _)| met.insert(of(&key))) {
            return false;
        }
        drop(met);
        let keys: Vec<NodeId> = view.fields(node).map(|(key, _)| key).collect();
        let mut alike: HashMap<(u8, &str), Vec<NodeId>> = HashMap::new();
        for key in &keys {
            alike.entry(of(key)).or_default().push(*key);
        }
        for key in &keys {
            let later = alike.get(&of(key)).map_or(&[][..], Vec::as_slice);
            let from = later.partition_point(|other| other <= key);
            for other in &later[from..] {
                if self.has_complained_enough() {
                    return true;
                }
                let (first, line) = (self.line_of(*key), self.line_of(*other));
                let name = quote(view.value(*other));
                self.complain(format!(
                    "line {line}: mapping key {name} already defined at line {first}"
                ));
            }
        }
        true
    }

    fn has_only_texts(&self, node: NodeId) -> bool {
        self.view.fields(node).all(|(key, _)| {
            let key = match self.view.kind(key) {
                Kind::Alias => self.targets.get(&key).copied().unwrap_or(key),
                _ => key,
            };
            matches!(&*tag_of(self.view, key), "!!str" | "!!merge")
        })
    }

    fn map(&mut self, mut mapping: Box<Mapping<'t>>) -> Done {
        match std::mem::replace(&mut mapping.at, Place::NextField) {
            Place::NextField => {}
            Place::Key(value) => {
                if let Some(key) = self.result.take()
                    && self.is_wanted(key, mapping.merged)?
                {
                    if matches!(key, Value::List(_) | Value::Map(_)) {
                        let shown = self.values.shown(key);
                        return Err(format!("invalid map key: {shown}"));
                    }
                    mapping.at = Place::Value(key);
                    self.steps.push(Step::Map(mapping));
                    self.steps.push(Step::Enter(value, Target::Any));
                    return Ok(());
                }
            }
            Place::Value(key) => {
                if let Some(value) = self.result.take() {
                    let out = &mut self.values.maps[mapping.out as usize];
                    out.fields.push((key, value));
                }
            }
        }
        while let Some((key, value)) = next_field(&mut mapping.children) {
            if self.view.kind(key) == Kind::Scalar && is_merge(self.view, key) {
                mapping.merge = Some(value);
                continue;
            }
            let target = if self.values.map(mapping.out).has_only_texts {
                Target::Text
            } else {
                Target::Any
            };
            mapping.at = Place::Key(value);
            self.steps.push(Step::Map(mapping));
            self.steps.push(Step::Enter(key, target));
            return Ok(());
        }
        self.merged = mapping.merged;
        let Mapping {
            node, out, is_new, ..
        } = *mapping;
        match mapping.merge {
            Some(merge) => self.enter_merge(node, merge, out, is_new),
            None => self.result = is_new.then_some(Value::Map(out)),
        }
        Ok(())
    }

    /// Whether a key was not merged before; from now on it was.
    fn is_wanted(&mut self, key: Value, merged: Option<usize>) -> Result<bool, String> {
        let Some(set) = merged else {
            return Ok(true);
        };
        let Some(identity) = self.identity(key)? else {
            return Ok(true);
        };
        Ok(self.merged_sets[set].insert(identity))
    }

    fn enter_merge(&mut self, parent: NodeId, node: NodeId, out: u32, is_new: bool) {
        let before = self.merged;
        let mut own = None;
        if before.is_none() {
            self.merged_sets.push(HashSet::new());
            self.merged = Some(self.merged_sets.len() - 1);
            own = Some(self.view.children(parent));
        }
        self.result = None;
        self.steps.push(Step::Merge(Box::new(Merge {
            node,
            out,
            is_new,
            before,
            own,
            items: None,
        })));
    }

    fn merge(&mut self, mut merge: Box<Merge<'t>>) -> Done {
        if let Some(own) = &mut merge.own {
            // A set of its own is in use while the parent's keys are decoded for it.
            if let Some(key) = self.result.take()
                && let Some(set) = self.merged
                && let Some(identity) = self.identity(key)?
            {
                self.merged_sets[set].insert(identity);
            }
            if let Some((key, _)) = next_field(own) {
                self.steps.push(Step::Merge(merge));
                self.steps.push(Step::Enter(key, Target::Any));
                return Ok(());
            }
            merge.own = None;
        }
        let out = Target::Into(merge.out);
        match (&mut merge.items, self.view.kind(merge.node)) {
            (Some(items), _) => {
                if let Some(item) = items.next() {
                    self.check_mergeable(item)?;
                    self.steps.push(Step::Merge(merge));
                    self.steps.push(Step::Enter(item, out));
                    return Ok(());
                }
            }
            (None, Kind::Sequence) => {
                merge.items = Some(self.view.children(merge.node));
                self.steps.push(Step::Merge(merge));
                return Ok(());
            }
            (None, _) => {
                self.check_mergeable(merge.node)?;
                let node = merge.node;
                // Nothing more is to come.
                merge.items = Some(self.view.children(node).none_left());
                self.steps.push(Step::Merge(merge));
                self.steps.push(Step::Enter(node, out));
                return Ok(());
            }
        }
        self.merged = merge.before;
        self.result = merge.is_new.then_some(Value::Map(merge.out));
        Ok(())
    }

    fn check_mergeable(&self, node: NodeId) -> Done {
        let node = match self.view.kind(node) {
            Kind::Alias => self.targets.get(&node).copied().unwrap_or(node),
            _ => node,
        };
        match self.view.kind(node) {
            Kind::Mapping => Ok(()),
            _ => Err("map merge requires map or sequence of maps as the value".to_owned()),
        }
    }

    /// What tells a key from others; `None` where it is like no other, not even itself.
    fn identity(&self, key: Value) -> Result<Option<Identity<'t>>, String> {
        let unhashable = |kind: &str| Err(format!("runtime error: hash of unhashable type {kind}"));
        Ok(Some(match key {
            Value::Null => Identity::Null,
            Value::Bool(value) => Identity::Bool(value),
            Value::Int(number) => Identity::Int(number),
            Value::Uint(number) => Identity::Uint(number),
            Value::Float(number) if number.is_nan() => return Ok(None),
            // Zero is zero, whatever its sign.
            Value::Float(number) => Identity::Float((number + 0.0).to_bits()),
            Value::Text(node) => Identity::Text(self.view.value(node).as_bytes().into()),
            Value::Binary(_) => Identity::Text(self.values.text(key).to_vec().into()),
            Value::Time(number) => {
                let time = self.values.time(number);
                match time.zone {
                    Zone::Utc => Identity::Time(time.seconds, time.nanosecond, true),
                    Zone::Local => Identity::Time(time.seconds, time.nanosecond, false),
                    // Each time is read with a zone of its own.
                    Zone::Fixed { .. } => return Ok(None),
                }
            }
            Value::List(_) => return unhashable("[]interface {}"),
            Value::Map(number) if self.values.map(number).has_only_texts => {
                return unhashable("map[string]interface {}");
            }
            Value::Map(_) => return unhashable("map[interface {}]interface {}"),
        }))
    }
}

fn next_field(children: &mut Children<'_>) -> Option<(NodeId, NodeId)> {
    Some((children.next()?, children.next()?))
}
