//! Semantic versions.

use std::cmp::Ordering;
use std::rc::Rc;

use super::arguments::text;
use crate::go::semver::{Constraints, Version, check_metadata, check_prerelease};
use crate::go::template::characters::lossy;
use crate::go::template::function::{Fault, Function, Outcome, fixed};
use crate::go::template::limits::Limits;
use crate::go::template::value::{self, Field, Method, Struct, StructType, Type, Value};

const TEXT: Type = Type::String;
const BYTES: Type = Type::List(&value::BYTES);

pub(super) static FUNCTIONS: &[Function] = &[
    fixed(
        "semver",
        &[TEXT],
        Type::Pointer(&VERSION_TYPE),
        |_, values| {
            let original = lossy(&text(&values, 0));
            let version = Version::parse_loose(&original).map_err(|error| error.to_string())?;
            Ok(Value::Pointer(
                &VERSION_TYPE,
                Some(Rc::new(structure(&version, &original))),
            ))
        },
    ),
    fixed(
        "semverCompare",
        &[TEXT, TEXT],
        Type::Bool,
        |limits, values| {
            limits.spend(1000 + text(&values, 0).len() * 100)?;
            let range = Constraints::parse(&lossy(&text(&values, 0)));
            let range = range.map_err(|error| error.to_string())?;
            let version = lossy(&text(&values, 1));
            let version = Version::parse_loose(&version).map_err(|error| error.to_string())?;
            Ok(Value::Bool(range.check(&version)))
        },
    ),
];

static ANOTHER_VERSION: [Type; 1] = [Type::Pointer(&VERSION_TYPE)];

static VERSION_TYPE: StructType = StructType {
    name: "semver.Version",
    interface: None,
    fields: &[
        Field::plain("major", Type::Uint64),
        Field::plain("minor", Type::Uint64),
        Field::plain("patch", Type::Uint64),
        Field::plain("pre", TEXT),
        Field::plain("metadata", TEXT),
        Field::plain("original", TEXT),
    ],
    methods: &[
        getter("Major", Type::Uint64, |_, version, _| {
            Ok(version.fields[0].clone())
        }),
        getter("Minor", Type::Uint64, |_, version, _| {
            Ok(version.fields[1].clone())
        }),
        getter("Patch", Type::Uint64, |_, version, _| {
            Ok(version.fields[2].clone())
        }),
        getter("Prerelease", TEXT, |_, version, _| {
            Ok(version.fields[3].clone())
        }),
        getter("Metadata", TEXT, |_, version, _| {
            Ok(version.fields[4].clone())
        }),
        Method {
            by_pointer: true,
            ..getter("Original", TEXT, |_, version, _| {
                Ok(version.fields[5].clone())
            })
        },
        getter("IncMajor", Type::Struct(&VERSION_TYPE), |_, version, _| {
            next(version, "major", |next| {
                (next.minor, next.patch) = (0, 0);
                &mut next.major
            })
        }),
        getter("IncMinor", Type::Struct(&VERSION_TYPE), |_, version, _| {
            next(version, "minor", |next| {
                next.patch = 0;
                &mut next.minor
            })
        }),
        getter("IncPatch", Type::Struct(&VERSION_TYPE), |_, version, _| {
            let mut released = read(version);
            if released.prerelease.is_empty() {
                return next(version, "patch", |next| &mut next.patch);
            }
            released.prerelease = Default::default();
            released.metadata = Default::default();
            Ok(Value::Struct(Rc::new(renamed(&released, version))))
        }),
        Method {
            parameters: &[TEXT],
            ..getter(
                "SetPrerelease",
                Type::Struct(&VERSION_TYPE),
                |_, version, arguments| {
                    let prerelease = lossy(&text(arguments, 0));
                    if !prerelease.is_empty() {
                        check_prerelease(&prerelease).map_err(|error| error.to_string())?;
                    }
                    let changed = Version {
                        prerelease: prerelease.into(),
                        ..read(version)
                    };
                    Ok(Value::Struct(Rc::new(renamed(&changed, version))))
                },
            )
        },
        Method {
            parameters: &[TEXT],
            ..getter(
                "SetMetadata",
                Type::Struct(&VERSION_TYPE),
                |_, version, arguments| {
                    let metadata = lossy(&text(arguments, 0));
                    if !metadata.is_empty() {
                        check_metadata(&metadata).map_err(|error| error.to_string())?;
                    }
                    let changed = Version {
                        metadata: metadata.into(),
                        ..read(version)
                    };
                    Ok(Value::Struct(Rc::new(renamed(&changed, version))))
                },
            )
        },
        getter("MarshalText", BYTES, |_, version, _| {
            Ok(Value::bytes(read(version).to_string().as_bytes()))
        }),
        getter("MarshalJSON", BYTES, |_, version, _| {
            Ok(Value::bytes(format!("\"{}\"", read(version)).as_bytes()))
        }),
        getter("Value", Type::Any, |_, version, _| {
            Ok(Value::text(read(version).to_string()))
        }),
        changer("UnmarshalText", &[BYTES]),
        changer("UnmarshalJSON", &[BYTES]),
        changer("Scan", &[Type::Any]),
        comparison("Compare", Type::Int, |_, one, others| {
            Ok(Value::Int(order(one, others) as i64))
        }),
        comparison("Equal", Type::Bool, |_, one, others| {
            Ok(Value::Bool(order(one, others).is_eq()))
        }),
        comparison("LessThan", Type::Bool, |_, one, others| {
            Ok(Value::Bool(order(one, others).is_lt()))
        }),
        comparison("LessThanEqual", Type::Bool, |_, one, others| {
            Ok(Value::Bool(order(one, others).is_le()))
        }),
        comparison("GreaterThan", Type::Bool, |_, one, others| {
            Ok(Value::Bool(order(one, others).is_gt()))
        }),
        comparison("GreaterThanEqual", Type::Bool, |_, one, others| {
            Ok(Value::Bool(order(one, others).is_ge()))
        }),
    ],
    text: Some(|version| read(version).to_string().into_bytes()),
    json: Some(|version| Ok(format!("\"{}\"", read(version)))),
    go_text: None,
};

type Call = fn(&mut Limits, &Rc<Struct>, &[Value]) -> Outcome;

const fn getter(name: &'static str, result: Type, call: Call) -> Method {
    Method {
        name,
        parameters: &[],
        result,
        by_pointer: false,
        uncallable: None,
        call,
    }
}

/// A method that reads another version into this one: known by name only.
const fn changer(name: &'static str, parameters: &'static [Type]) -> Method {
    Method {
        parameters,
        by_pointer: true,
        ..getter(name, Type::Any, |_, _, _| {
            Err(Fault::Unsupported("a method that changes a version"))
        })
    }
}

const fn comparison(name: &'static str, result: Type, call: Call) -> Method {
    Method {
        parameters: &ANOTHER_VERSION,
        by_pointer: true,
        ..getter(name, result, call)
    }
}

fn structure(version: &Version, original: &str) -> Struct {
    Struct {
        kind: &VERSION_TYPE,
        fields: vec![
            Value::Uint64(version.major),
            Value::Uint64(version.minor),
            Value::Uint64(version.patch),
            Value::text(&*version.prerelease),
            Value::text(&*version.metadata),
            Value::text(original),
        ],
    }
}

fn read(version: &Struct) -> Version<'static> {
    let number = |index: usize| version.fields[index].unsigned().unwrap_or(0);
    Version {
        major: number(0),
        minor: number(1),
        patch: number(2),
        prerelease: lossy(&text(&version.fields, 3)).into(),
        metadata: lossy(&text(&version.fields, 4)).into(),
    }
}

/// A version made from another one keeps only the `v` of its text.
fn renamed(version: &Version, origin: &Struct) -> Struct {
    let prefix = if text(&origin.fields, 5).starts_with(b"v") {
        "v"
    } else {
        ""
    };
    structure(version, &format!("{prefix}{version}"))
}

fn next(
    origin: &Struct,
    name: &str,
    part: impl for<'v> Fn(&'v mut Version<'static>) -> &'v mut u64,
) -> Outcome {
    let mut next = read(origin);
    next.prerelease = Default::default();
    next.metadata = Default::default();
    let number = part(&mut next);
    *number = number
        .checked_add(1)
        .ok_or_else(|| Fault::Error(format!("{name} version increment would overflow uint64")))?;
    Ok(Value::Struct(Rc::new(renamed(&next, origin))))
}

fn order(one: &Struct, others: &[Value]) -> Ordering {
    match others.first() {
        Some(Value::Pointer(_, Some(other))) => read(one).cmp(&read(other)),
        _ => Ordering::Greater,
    }
}
