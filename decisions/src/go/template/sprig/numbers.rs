//! Numbers.

use super::arguments::{float_to_int, int, text, to_float64, to_int64};
use super::decimal::Decimal;
use crate::go::template::format;
use crate::go::template::function::{Fault, Function, Outcome, fixed, variadic};
use crate::go::template::limits::{Bound, Limits};
use crate::go::template::number::parse_signed;
use crate::go::template::value::{self, Type, Value};

const ANY: Type = Type::Any;
const INTS: Type = Type::List(&value::INT_LIST);

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("atoi", &[Type::String], Type::Int, |_, values| {
        Ok(Value::Int(atoi(&text(&values, 0))))
    }),
    fixed("int", &[ANY], Type::Int, |_, values| {
        Ok(Value::Int(to_int64(&values[0])))
    }),
    fixed("int64", &[ANY], Type::Int64, |_, values| {
        Ok(Value::Int64(to_int64(&values[0])))
    }),
    fixed("float64", &[ANY], Type::Float64, |_, values| {
        Ok(Value::Float64(to_float64(&values[0])))
    }),
    fixed("toDecimal", &[ANY], Type::Int64, |limits, values| {
        let printed = format::print(limits, &values)?;
        let number = std::str::from_utf8(&printed)
            .ok()
            .and_then(|text| parse_signed(text, 8));
        Ok(Value::Int64(number.unwrap_or(0)))
    }),
    fixed("add1", &[ANY], Type::Int64, |_, values| {
        Ok(Value::Int64(to_int64(&values[0]).wrapping_add(1)))
    }),
    variadic("add", &[], ANY, Type::Int64, |_, values| {
        fold(
            &[&[Value::Int64(0)], &values[..]].concat(),
            i64::wrapping_add,
        )
    }),
    fixed("sub", &[ANY, ANY], Type::Int64, |_, values| {
        fold(&values, i64::wrapping_sub)
    }),
    fixed("div", &[ANY, ANY], Type::Int64, |_, values| {
        divided(&values, i64::wrapping_div)
    }),
    fixed("mod", &[ANY, ANY], Type::Int64, |_, values| {
        divided(&values, i64::wrapping_rem)
    }),
    variadic("mul", &[ANY], ANY, Type::Int64, |_, values| {
        fold(&values, i64::wrapping_mul)
    }),
    variadic("max", &[ANY], ANY, Type::Int64, |_, values| {
        fold(&values, i64::max)
    }),
    variadic("biggest", &[ANY], ANY, Type::Int64, |_, values| {
        fold(&values, i64::max)
    }),
    variadic("min", &[ANY], ANY, Type::Int64, |_, values| {
        fold(&values, i64::min)
    }),
    fixed("add1f", &[ANY], Type::Float64, |_, values| {
        let values = [values[0].clone(), Value::Int(1)];
        decimals(&values, |one, two| Ok(one.add(two)))
    }),
    variadic("addf", &[], ANY, Type::Float64, |limits, values| {
        limits.spend(values.len() * 1000)?;
        let values = [&[Value::Float64(0.0)], &values[..]].concat();
        decimals(&values, |one, two| Ok(one.add(two)))
    }),
    variadic("subf", &[ANY], ANY, Type::Float64, |limits, values| {
        limits.spend(values.len() * 1000)?;
        decimals(&values, |one, two| Ok(one.subtract(two)))
    }),
    variadic("mulf", &[ANY], ANY, Type::Float64, |limits, values| {
        limits.spend(values.len().saturating_mul(values.len()) * 10)?;
        decimals(&values, |one, two| Ok(one.multiply(two)))
    }),
    variadic("divf", &[ANY], ANY, Type::Float64, |limits, values| {
        limits.spend(values.len() * 10_000)?;
        decimals(&values, Decimal::divide)
    }),
    variadic("maxf", &[ANY], ANY, Type::Float64, |_, values| {
        fold_floats(&values, |one, two| match (one, two) {
            _ if one.is_infinite() && one > 0.0 || two.is_infinite() && two > 0.0 => f64::INFINITY,
            _ if one.is_nan() || two.is_nan() => f64::NAN,
            _ if one == 0.0 && two == 0.0 => one + two,
            _ => one.max(two),
        })
    }),
    variadic("minf", &[ANY], ANY, Type::Float64, |_, values| {
        fold_floats(&values, |one, two| match (one, two) {
            _ if one.is_infinite() && one < 0.0 || two.is_infinite() && two < 0.0 => {
                f64::NEG_INFINITY
            }
            _ if one.is_nan() || two.is_nan() => f64::NAN,
            _ if one == 0.0 && two == 0.0 && one.is_sign_negative() => one,
            _ if one == 0.0 && two == 0.0 => two,
            _ => one.min(two),
        })
    }),
    fixed("ceil", &[ANY], Type::Float64, |_, values| {
        Ok(Value::Float64(to_float64(&values[0]).ceil()))
    }),
    fixed("floor", &[ANY], Type::Float64, |_, values| {
        Ok(Value::Float64(to_float64(&values[0]).floor()))
    }),
    variadic(
        "round",
        &[ANY, Type::Int],
        Type::Float64,
        Type::Float64,
        |_, values| {
            let up_from = values.get(2).map_or(0.5, to_float64);
            Ok(Value::Float64(rounded(
                to_float64(&values[0]),
                int(&values, 1),
                up_from,
            )))
        },
    ),
    variadic("seq", &[], Type::Int, Type::String, |limits, values| {
        let bounds: Vec<i64> = values.iter().filter_map(Value::signed).collect();
        sequence(limits, &bounds)
    }),
    fixed("until", &[Type::Int], INTS, |limits, values| {
        let end = int(&values, 0);
        let step = if end < 0 { -1 } else { 1 };
        Ok(ints(steps(limits, 0, end, step)?))
    }),
    fixed("untilStep", &[Type::Int; 3], INTS, |limits, values| {
        let (start, end, step) = (int(&values, 0), int(&values, 1), int(&values, 2));
        Ok(ints(steps(limits, start, end, step)?))
    }),
    fixed("randInt", &[Type::Int; 2], Type::Int, |limits, values| {
        let (least, end) = (int(&values, 0), int(&values, 1));
        match end.wrapping_sub(least) {
            ..=0 => Err("invalid argument to Intn".into()),
            1 => Ok(Value::Int(least)),
            span => {
                let chosen = limits.below("randInt", span as u64);
                Ok(Value::Int(least.wrapping_add(chosen as i64)))
            }
        }
    }),
];

/// `strconv.Atoi` without its error: what doesn't fit is the nearest number, what isn't a number is 0.
fn atoi(text: &[u8]) -> i64 {
    let text = std::str::from_utf8(text).unwrap_or("");
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return 0;
    }
    let nearest = if text.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    };
    parse_signed(text, 10).unwrap_or(nearest)
}

fn fold(values: &[Value], join: fn(i64, i64) -> i64) -> Outcome {
    let number = values.iter().map(to_int64).reduce(join).unwrap_or(0);
    Ok(Value::Int64(number))
}

fn divided(values: &[Value], divide: fn(i64, i64) -> i64) -> Outcome {
    match to_int64(&values[1]) {
        0 => Err("runtime error: integer divide by zero".into()),
        divisor => Ok(Value::Int64(divide(to_int64(&values[0]), divisor))),
    }
}

fn fold_floats(values: &[Value], join: fn(f64, f64) -> f64) -> Outcome {
    let number = values.iter().map(to_float64).reduce(join).unwrap_or(0.0);
    Ok(Value::Float64(number))
}

fn decimals(values: &[Value], join: fn(&Decimal, &Decimal) -> Result<Decimal, String>) -> Outcome {
    let mut values = values.iter().map(|value| Decimal::of(to_float64(value)));
    let mut result = values.next().unwrap_or_else(|| Ok(Decimal::default()))?;
    for value in values {
        result = join(&result, &value?)?;
    }
    Ok(Value::Float64(result.to_float()))
}

fn rounded(number: f64, places: i64, up_from: f64) -> f64 {
    let power = power_of_ten(places as f64);
    let digit = power * number;
    let whole = if digit.fract() >= up_from {
        digit.ceil()
    } else {
        digit.floor()
    };
    whole / power
}

/// `math.Pow(10, exponent)` for whole exponents, step by step as Go computes it.
fn power_of_ten(exponent: f64) -> f64 {
    let count = exponent.abs();
    if count >= 9_223_372_036_854_775_808.0 || count > 100_000.0 {
        return if exponent > 0.0 { f64::INFINITY } else { 0.0 };
    }
    // 10 is 0.625 * 2^4.
    let (mut factor, mut factor_exponent) = (0.625f64, 4i64);
    let (mut result, mut result_exponent) = (1.0f64, 0i64);
    let mut left = float_to_int(count);
    while left != 0 {
        if left & 1 == 1 {
            result *= factor;
            result_exponent += factor_exponent;
        }
        factor *= factor;
        factor_exponent <<= 1;
        if factor < 0.5 {
            factor += factor;
            factor_exponent -= 1;
        }
        left >>= 1;
    }
    if exponent < 0.0 {
        result = 1.0 / result;
        result_exponent = -result_exponent;
    }
    scaled(result, result_exponent)
}

/// `math.Ldexp`: in two steps, so that only the last one rounds.
fn scaled(number: f64, exponent: i64) -> f64 {
    let exponent = exponent.clamp(-2200, 2200) as i32;
    let half = exponent / 2;
    number * 2f64.powi(half) * 2f64.powi(exponent - half)
}

fn ints(numbers: Vec<i64>) -> Value {
    Value::list(
        &value::INT_LIST,
        numbers.into_iter().map(Value::Int).collect(),
    )
}

/// The numbers from `start` up or down to before `end`; a step beyond the last number goes on at the other end, as in Go.
fn steps(limits: &mut Limits, start: i64, end: i64, step: i64) -> Result<Vec<i64>, Fault> {
    let down = end < start;
    if step == 0 || down != (step < 0) {
        return Ok(Vec::new());
    }
    let mut numbers = Vec::new();
    let mut number = start;
    while if down { number > end } else { number < end } {
        if numbers.len() == limits.output {
            return Err(Bound::Work.into());
        }
        limits.spend(16)?;
        numbers.push(number);
        number = number.wrapping_add(step);
    }
    Ok(numbers)
}

fn sequence(limits: &mut Limits, bounds: &[i64]) -> Outcome {
    let (start, step, end) = match *bounds {
        [end] => (1, if end < 1 { -1 } else { 1 }, end),
        [start, end] => (start, if end < start { -1 } else { 1 }, end),
        [start, step, end] => (start, step, end),
        _ => return Ok(Value::text("")),
    };
    if end < start && step > 0 {
        return Ok(Value::text(""));
    }
    let past_end = if end < start { -1 } else { 1 };
    let numbers = steps(limits, start, end.wrapping_add(past_end), step)?;
    let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
    Ok(Value::text(texts.join(" ")))
}
