//! Go's types of the `time` package: points in time, spans, months, days of the week and zones.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::arguments::{int, text};
use crate::go::number::format_duration;
use crate::go::template::characters::lossy;
use crate::go::template::function::Outcome;
use crate::go::template::limits::Limits;
use crate::go::template::value::{
    self, Field, ListType, Method, NamedMethod, NamedType, Struct, StructType, Type, Value,
};
use crate::go::time::{MONTHS, Time, WEEKDAYS, Zone};

static A_TIME: [Type; 1] = [Type::Struct(&TIME_TYPE)];
static A_SPAN: [Type; 1] = [Type::Named(&SPAN_TYPE)];
static A_ZONE: [Type; 1] = [Type::Pointer(&ZONE_TYPE)];
const TEXT: Type = Type::String;
const BYTES: Type = Type::List(&value::BYTES);

/// `time.Time`
pub(super) static TIME_TYPE: StructType = StructType {
    name: "time.Time",
    interface: None,
    fields: &[
        Field::plain("wall", Type::Uint64),
        Field::plain("ext", Type::Int64),
        Field::plain("loc", Type::Pointer(&ZONE_TYPE)),
    ],
    methods: &[
        method("Year", Type::Int, |_, time, _| {
            Ok(Value::Int(read(time).date().year))
        }),
        method("Month", Type::Named(&MONTH_TYPE), |_, time, _| {
            Ok(Value::Named(&MONTH_TYPE, read(time).date().month))
        }),
        method("Day", Type::Int, |_, time, _| {
            Ok(Value::Int(read(time).date().day))
        }),
        method("Weekday", Type::Named(&WEEKDAY_TYPE), |_, time, _| {
            Ok(Value::Named(&WEEKDAY_TYPE, read(time).weekday()))
        }),
        method("YearDay", Type::Int, |_, time, _| {
            Ok(Value::Int(read(time).year_day()))
        }),
        method("Hour", Type::Int, |_, time, _| {
            Ok(Value::Int(read(time).clock()[0]))
        }),
        method("Minute", Type::Int, |_, time, _| {
            Ok(Value::Int(read(time).clock()[1]))
        }),
        method("Second", Type::Int, |_, time, _| {
            Ok(Value::Int(read(time).clock()[2]))
        }),
        method("Nanosecond", Type::Int, |_, time, _| {
            Ok(Value::Int(i64::from(read(time).nanosecond)))
        }),
        method("Unix", Type::Int64, |_, time, _| {
            Ok(Value::Int64(read(time).unix()))
        }),
        method("UnixMilli", Type::Int64, |_, time, _| {
            Ok(Value::Int64(unix_in(&read(time), 1_000)))
        }),
        method("UnixMicro", Type::Int64, |_, time, _| {
            Ok(Value::Int64(unix_in(&read(time), 1_000_000)))
        }),
        method("UnixNano", Type::Int64, |_, time, _| {
            Ok(Value::Int64(unix_in(&read(time), 1_000_000_000)))
        }),
        method("IsZero", Type::Bool, |_, time, _| {
            Ok(Value::Bool(
                read(time).seconds == 0 && read(time).nanosecond == 0,
            ))
        }),
        method("IsDST", Type::Bool, |_, _, _| Ok(Value::Bool(false))),
        method("UTC", Type::Struct(&TIME_TYPE), |_, time, _| {
            Ok(value_of(&read(time).shown_in(Zone::Utc)))
        }),
        method("Local", Type::Struct(&TIME_TYPE), |_, time, _| {
            Ok(value_of(&read(time).shown_in(Zone::Local)))
        }),
        method("Location", Type::Pointer(&ZONE_TYPE), |_, time, _| {
            Ok(Value::Pointer(
                &ZONE_TYPE,
                Some(zone_value(&read(time).zone)),
            ))
        }),
        taking(
            "In",
            &A_ZONE,
            Type::Struct(&TIME_TYPE),
            |_, time, values| match values.first() {
                Some(Value::Pointer(_, Some(zone))) => {
                    Ok(value_of(&read(time).shown_in(zone_of(zone))))
                }
                _ => Err("time: missing Location in call to Time.In".into()),
            },
        ),
        taking(
            "Add",
            &A_SPAN,
            Type::Struct(&TIME_TYPE),
            |_, time, values| Ok(value_of(&read(time).plus(int(values, 0)))),
        ),
        taking(
            "AddDate",
            &[Type::Int; 3],
            Type::Struct(&TIME_TYPE),
            |_, time, values| {
                let [years, months, days] = [0, 1, 2].map(|index| int(values, index));
                Ok(value_of(&read(time).plus_date(years, months, days)))
            },
        ),
        taking(
            "Sub",
            &A_TIME,
            Type::Named(&SPAN_TYPE),
            |_, time, values| {
                Ok(Value::Named(
                    &SPAN_TYPE,
                    read(time).since(&time_of(values, 0)),
                ))
            },
        ),
        taking(
            "Round",
            &A_SPAN,
            Type::Struct(&TIME_TYPE),
            |_, time, values| Ok(value_of(&read(time).rounded(int(values, 0)))),
        ),
        taking(
            "Truncate",
            &A_SPAN,
            Type::Struct(&TIME_TYPE),
            |_, time, values| Ok(value_of(&read(time).truncated(int(values, 0)))),
        ),
        taking("After", &A_TIME, Type::Bool, |_, time, values| {
            Ok(Value::Bool(
                instant(&read(time)) > instant(&time_of(values, 0)),
            ))
        }),
        taking("Before", &A_TIME, Type::Bool, |_, time, values| {
            Ok(Value::Bool(
                instant(&read(time)) < instant(&time_of(values, 0)),
            ))
        }),
        taking("Equal", &A_TIME, Type::Bool, |_, time, values| {
            Ok(Value::Bool(
                instant(&read(time)) == instant(&time_of(values, 0)),
            ))
        }),
        taking("Compare", &A_TIME, Type::Int, |_, time, values| {
            Ok(Value::Int(
                instant(&read(time)).cmp(&instant(&time_of(values, 0))) as i64,
            ))
        }),
        taking("Format", &[TEXT], TEXT, |_, time, values| {
            Ok(Value::text(read(time).format(&text(values, 0))))
        }),
        taking("AppendFormat", &[BYTES, TEXT], BYTES, |_, time, values| {
            Ok(appended(&values[0], &read(time).format(&text(values, 1))))
        }),
        method("GoString", TEXT, |_, time, _| {
            Ok(Value::text(go_text(&read(time))))
        }),
        method("MarshalText", BYTES, |_, time, _| {
            let text = internet(&read(time)).map_err(|why| format!("Time.MarshalText: {why}"))?;
            Ok(Value::bytes(&text))
        }),
        taking("AppendText", &[BYTES], BYTES, |_, time, values| {
            let text = internet(&read(time)).map_err(|why| format!("Time.AppendText: {why}"))?;
            Ok(appended(&values[0], &text))
        }),
        method("MarshalJSON", BYTES, |_, time, _| {
            Ok(Value::bytes(json(&read(time))?.as_bytes()))
        }),
        method("MarshalBinary", BYTES, |_, time, _| {
            Ok(Value::bytes(&binary(&read(time))?))
        }),
        method("GobEncode", BYTES, |_, time, _| {
            Ok(Value::bytes(&binary(&read(time))?))
        }),
        taking("AppendBinary", &[BYTES], BYTES, |_, time, values| {
            Ok(appended(&values[0], &binary(&read(time))?))
        }),
        uncallable(
            "Date",
            "function Date has 3 return values; should be 1 or 2",
        ),
        uncallable(
            "Clock",
            "function Clock has 3 return values; should be 1 or 2",
        ),
        uncallable(
            "ISOWeek",
            "invalid function signature for ISOWeek: second return value should be error; is int",
        ),
        uncallable(
            "Zone",
            "invalid function signature for Zone: second return value should be error; is int",
        ),
        uncallable(
            "ZoneBounds",
            "invalid function signature for ZoneBounds: second return value should be error; is time.Time",
        ),
    ],
    text: Some(|time| {
        let time = read(time);
        time.format(b"2006-01-02 15:04:05.999999999 -0700 MST")
    }),
    json: Some(|time| json(&read(time))),
    go_text: Some(|time| go_text(&read(time))),
};

/// `time.Duration`
static SPAN_TYPE: NamedType = NamedType {
    name: "time.Duration",
    underlying: Type::Int64,
    text: format_duration,
    methods: &[
        of_span("Nanoseconds", |span, _| Value::Int64(span)),
        of_span("Microseconds", |span, _| Value::Int64(span / 1_000)),
        of_span("Milliseconds", |span, _| Value::Int64(span / 1_000_000)),
        of_span("Seconds", |span, _| in_units(span, 1_000_000_000)),
        of_span("Minutes", |span, _| in_units(span, 60_000_000_000)),
        of_span("Hours", |span, _| in_units(span, 3_600_000_000_000)),
        of_span("Abs", |span, _| {
            Value::Named(&SPAN_TYPE, span.saturating_abs())
        }),
        by_span("Truncate", |span, values| {
            let beyond = match int(values, 0) {
                ..=0 => 0,
                unit => span % unit,
            };
            Value::Named(&SPAN_TYPE, span - beyond)
        }),
        by_span("Round", |span, values| {
            Value::Named(&SPAN_TYPE, rounded(span, int(values, 0)))
        }),
    ],
};

static MONTH_TYPE: NamedType = NamedType {
    name: "time.Month",
    underlying: Type::Int,
    text: |month| name_in(&MONTHS, month - 1, month, "Month"),
    methods: &[],
};

static WEEKDAY_TYPE: NamedType = NamedType {
    name: "time.Weekday",
    underlying: Type::Int,
    text: |day| name_in(&WEEKDAYS, day, day, "Weekday"),
    methods: &[],
};

/// `time.Location`, as far as its values come from times.
static ZONE_TYPE: StructType = StructType {
    name: "time.Location",
    interface: None,
    fields: &[
        Field::plain("name", TEXT),
        Field::plain("zone", Type::List(&OFFSETS)),
        Field::plain("tx", Type::List(&CHANGES)),
        Field::plain("extend", TEXT),
        Field::plain("cacheStart", Type::Int64),
        Field::plain("cacheEnd", Type::Int64),
        Field::plain("cacheZone", Type::Pointer(&OFFSET_TYPE)),
    ],
    methods: &[],
    text: Some(|zone| text(&zone.fields, 0).to_vec()),
    json: None,
    go_text: None,
};

static OFFSETS: ListType = ListType {
    name: "[]time.zone",
    element: Type::Struct(&OFFSET_TYPE),
};

static OFFSET_TYPE: StructType = StructType {
    name: "time.zone",
    interface: None,
    fields: &[
        Field::plain("name", TEXT),
        Field::plain("offset", Type::Int),
        Field::plain("isDST", Type::Bool),
    ],
    methods: &[],
    text: None,
    json: None,
    go_text: None,
};

static CHANGES: ListType = ListType {
    name: "[]time.zoneTrans",
    element: Type::Struct(&CHANGE_TYPE),
};

static CHANGE_TYPE: StructType = StructType {
    name: "time.zoneTrans",
    interface: None,
    fields: &[
        Field::plain("when", Type::Int64),
        Field::plain("index", Type::Uint8),
        Field::plain("isstd", Type::Bool),
        Field::plain("isutc", Type::Bool),
    ],
    methods: &[],
    text: None,
    json: None,
    go_text: None,
};

type Call = fn(&mut Limits, &Rc<Struct>, &[Value]) -> Outcome;

const fn method(name: &'static str, result: Type, call: Call) -> Method {
    taking(name, &[], result, call)
}

const fn taking(
    name: &'static str,
    parameters: &'static [Type],
    result: Type,
    call: Call,
) -> Method {
    Method {
        name,
        parameters,
        result,
        by_pointer: false,
        uncallable: None,
        call,
    }
}

/// A method with more results than a template can take.
const fn uncallable(name: &'static str, why: &'static str) -> Method {
    Method {
        uncallable: Some(why),
        ..method(name, Type::Any, |_, _, _| Ok(Value::Invalid))
    }
}

const fn of_span(name: &'static str, call: fn(i64, &[Value]) -> Value) -> NamedMethod {
    NamedMethod {
        name,
        parameters: &[],
        call,
    }
}

const fn by_span(name: &'static str, call: fn(i64, &[Value]) -> Value) -> NamedMethod {
    NamedMethod {
        parameters: &A_SPAN,
        ..of_span(name, call)
    }
}

/// The time of a value of type `time.Time`.
pub(super) fn time_of(values: &[Value], index: usize) -> Time {
    match values.get(index) {
        Some(Value::Struct(time)) => read(time),
        _ => Time::default(),
    }
}

fn read(time: &Struct) -> Time {
    let zone = match &time.fields[2] {
        Value::Pointer(_, Some(zone)) => zone_of(zone),
        _ => Zone::Utc,
    };
    Time {
        seconds: time.fields[1].signed().unwrap_or(0),
        nanosecond: time.fields[0].unsigned().unwrap_or(0) as u32,
        zone,
    }
}

/// The value of a time.
pub(super) fn value_of(time: &Time) -> Value {
    let zone = match time.zone {
        Zone::Utc => None,
        _ => Some(zone_value(&time.zone)),
    };
    Value::structure(
        &TIME_TYPE,
        vec![
            Value::Uint64(u64::from(time.nanosecond)),
            Value::Int64(time.seconds),
            Value::Pointer(&ZONE_TYPE, zone),
        ],
    )
}

thread_local! {
    /// The zones that exist once: by whether it is the local one, and by the offset of those without a name.
    static ZONES: RefCell<BTreeMap<(bool, i32), Rc<Struct>>> = const { RefCell::new(BTreeMap::new()) };
}

fn zone_value(zone: &Zone) -> Rc<Struct> {
    let once = match zone {
        Zone::Utc => (false, 0),
        Zone::Local => (true, 0),
        Zone::Fixed { name, offset } => {
            let hours = offset / 3600;
            if !name.is_empty() || offset % 3600 != 0 || !(-12..=14).contains(&hours) || hours == 0
            {
                return Rc::new(zone_structure(zone));
            }
            (false, *offset)
        }
    };
    ZONES.with_borrow_mut(|zones| {
        let known = zones.entry(once);
        known
            .or_insert_with(|| Rc::new(zone_structure(zone)))
            .clone()
    })
}

fn zone_structure(zone: &Zone) -> Struct {
    let name = Value::text(zone.name());
    let empty = |list: &'static ListType| Type::List(list).zero();
    let fields = match zone {
        Zone::Utc | Zone::Local => vec![
            name,
            empty(&OFFSETS),
            empty(&CHANGES),
            Value::text(""),
            Value::Int64(0),
            Value::Int64(0),
            Value::Pointer(&OFFSET_TYPE, None),
        ],
        Zone::Fixed { offset, .. } => {
            let fields = vec![
                name.clone(),
                Value::Int(i64::from(*offset)),
                Value::Bool(false),
            ];
            let offset = Rc::new(Struct {
                kind: &OFFSET_TYPE,
                fields,
            });
            let ever = vec![
                Value::Int64(i64::MIN),
                Value::Uint8(0),
                Value::Bool(false),
                Value::Bool(false),
            ];
            vec![
                name,
                Value::list(&OFFSETS, vec![Value::Struct(offset.clone())]),
                Value::list(&CHANGES, vec![Value::structure(&CHANGE_TYPE, ever)]),
                Value::text(""),
                Value::Int64(i64::MIN),
                Value::Int64(i64::MAX),
                Value::Pointer(&OFFSET_TYPE, Some(offset)),
            ]
        }
    };
    Struct {
        kind: &ZONE_TYPE,
        fields,
    }
}

fn zone_of(zone: &Rc<Struct>) -> Zone {
    let is_one = |zone: &Rc<Struct>, of: Zone| Rc::ptr_eq(zone, &zone_value(&of));
    match &zone.fields[6] {
        Value::Pointer(_, Some(offset)) => Zone::Fixed {
            name: lossy(&text(&zone.fields, 0)),
            offset: offset.fields[1].signed().unwrap_or(0) as i32,
        },
        _ if is_one(zone, Zone::Utc) => Zone::Utc,
        _ => Zone::Local,
    }
}

fn instant(time: &Time) -> (i64, u32) {
    (time.seconds, time.nanosecond)
}

/// The time since 1970 in parts of a second.
fn unix_in(time: &Time, parts: i64) -> i64 {
    let fraction = i64::from(time.nanosecond) / (1_000_000_000 / parts);
    time.unix().wrapping_mul(parts).wrapping_add(fraction)
}

/// The list of bytes with more behind it.
fn appended(bytes: &Value, more: &[u8]) -> Value {
    let mut all = bytes.as_bytes().unwrap_or_default();
    all.extend_from_slice(more);
    Value::bytes(&all)
}

/// RFC 3339, or why the time can't be written so.
fn internet(time: &Time) -> Result<Vec<u8>, String> {
    let text = time.format(b"2006-01-02T15:04:05.999999999Z07:00");
    if text.get(4) != Some(&b'-') {
        return Err("year outside of range [0,9999]".into());
    }
    let hours = match text.split_last() {
        Some((b'Z', _)) => return Ok(text),
        _ => &text[text.len() - 6..text.len() - 3],
    };
    let in_range = !hours[0].is_ascii_digit() && (hours[1] - b'0') * 10 + (hours[2] - b'0') < 24;
    match in_range {
        true => Ok(text),
        false => Err("timezone hour outside of range [0,23]".into()),
    }
}

fn json(time: &Time) -> Result<String, String> {
    let text = internet(time).map_err(|why| format!("Time.MarshalJSON: {why}"))?;
    Ok(format!("\"{}\"", lossy(&text)))
}

/// Go's own binary form.
fn binary(time: &Time) -> Result<Vec<u8>, String> {
    let offset = time.zone.offset();
    let (minutes, seconds) = match time.zone {
        Zone::Utc => (-1, 0),
        _ => (offset / 60, offset % 60),
    };
    if time.zone != Zone::Utc && minutes == -1 {
        return Err("Time.MarshalBinary: unexpected zone offset".into());
    }
    let mut out = vec![if seconds == 0 { 1 } else { 2 }];
    out.extend(time.seconds.to_be_bytes());
    out.extend(time.nanosecond.to_be_bytes());
    out.extend((minutes as i16).to_be_bytes());
    if seconds != 0 {
        out.push(seconds as u8);
    }
    Ok(out)
}

fn go_text(time: &Time) -> String {
    let date = time.date();
    let [hour, minute, second] = time.clock();
    let month = MONTHS[(date.month - 1) as usize];
    let zone = match &time.zone {
        Zone::Utc => "time.UTC".to_owned(),
        Zone::Local => "time.Local".to_owned(),
        Zone::Fixed { name, .. } => format!("time.Location(\"{name}\")"),
    };
    format!(
        "time.Date({}, time.{month}, {}, {hour}, {minute}, {second}, {}, {zone})",
        date.year, date.day, time.nanosecond
    )
}

/// The span in units of so many nanoseconds, added up as Go does.
fn in_units(span: i64, unit: i64) -> Value {
    Value::Float64((span / unit) as f64 + (span % unit) as f64 / unit as f64)
}

/// The nearest multiple of the unit, away from zero where two are as near; the longest span where that is beyond.
fn rounded(span: i64, unit: i64) -> i64 {
    if unit <= 0 {
        return span;
    }
    let rest = (span % unit).unsigned_abs();
    let (down, up) = (rest as i64, (unit.unsigned_abs() - rest) as i64);
    match (rest.wrapping_mul(2) < unit.unsigned_abs(), span < 0) {
        (true, true) => span + down,
        (true, false) => span - down,
        (false, true) => span.saturating_sub(up),
        (false, false) => span.saturating_add(up),
    }
}

/// The name of a number, or the number in Go's form.
fn name_in(names: &[&'static str], index: i64, number: i64, kind: &str) -> String {
    match usize::try_from(index)
        .ok()
        .and_then(|index| names.get(index))
    {
        Some(name) => (*name).to_owned(),
        None => format!("%!{kind}({})", number as u64),
    }
}
