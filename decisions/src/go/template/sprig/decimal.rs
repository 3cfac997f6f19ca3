//! Decimal numbers of any length, for the arithmetic that doesn't go through binary fractions.

use std::cmp::Ordering;

use crate::go::template::number::format_float;

/// The places after the point that a division keeps.
const DIVISION_PLACES: i64 = 16;

/// A whole number of any length: its digits in base 10^9, the least first, and its sign.
#[derive(Clone, Debug, Default)]
struct Whole {
    negative: bool,
    limbs: Vec<u32>,
}

const BASE: u64 = 1_000_000_000;

/// `whole * 10^exponent`
#[derive(Clone, Debug, Default)]
pub(super) struct Decimal {
    whole: Whole,
    exponent: i64,
}

impl Decimal {
    /// The shortest decimal that reads back as the number; the error is what Go says about the others.
    pub fn of(number: f64) -> Result<Decimal, String> {
        if !number.is_finite() {
            let shown = format_float(number, 'g', None);
            return Err(format!("Cannot create a Decimal from {shown}"));
        }
        if number == 0.0 {
            return Ok(Decimal::default());
        }
        let text = format!("{number:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        let places = mantissa
            .split_once('.')
            .map_or(0, |(_, places)| places.len());
        Ok(Decimal {
            whole: Whole::read(&digits, number < 0.0),
            exponent: exponent.parse::<i64>().unwrap_or(0) - places as i64,
        })
    }

    /// The nearest binary number.
    pub fn to_float(&self) -> f64 {
        let text = format!("{}e{}", self.whole.shown(), self.exponent);
        text.parse().unwrap_or(0.0)
    }

    pub fn add(&self, other: &Decimal) -> Decimal {
        let exponent = self.exponent.min(other.exponent);
        Decimal {
            whole: self.scaled(exponent).add(&other.scaled(exponent)),
            exponent,
        }
    }

    pub fn subtract(&self, other: &Decimal) -> Decimal {
        let mut negated = other.clone();
        negated.whole.negative = !negated.whole.negative;
        self.add(&negated)
    }

    pub fn multiply(&self, other: &Decimal) -> Decimal {
        Decimal {
            whole: self.whole.multiply(&other.whole),
            exponent: self.exponent + other.exponent,
        }
    }

    /// The quotient to 16 places, rounded half away from zero.
    pub fn divide(&self, other: &Decimal) -> Result<Decimal, String> {
        if other.whole.limbs.is_empty() {
            return Err("decimal division by 0".to_string());
        }
        let shift = self.exponent - other.exponent + DIVISION_PLACES;
        let power = Whole::power_of_ten(shift.unsigned_abs());
        let (dividend, divisor) = if shift < 0 {
            (self.whole.clone(), other.whole.multiply(&power))
        } else {
            (self.whole.multiply(&power), other.whole.clone())
        };
        let (mut quotient, rest) = dividend.divide_magnitudes(&divisor);
        let twice = rest.multiply(&Whole::read("2", false));
        if twice.compare_magnitudes(&divisor) != Ordering::Less {
            quotient = quotient.add(&Whole::read("1", false));
        }
        quotient.negative = self.whole.negative != other.whole.negative;
        Ok(Decimal {
            whole: quotient.trimmed(),
            exponent: -DIVISION_PLACES,
        })
    }

    fn scaled(&self, exponent: i64) -> Whole {
        let power = (self.exponent - exponent).unsigned_abs();
        self.whole.multiply(&Whole::power_of_ten(power))
    }
}

impl Whole {
    fn read(digits: &str, negative: bool) -> Whole {
        let bytes = digits.as_bytes();
        let limbs = bytes
            .rchunks(9)
            .map(|chunk| {
                chunk
                    .iter()
                    .fold(0, |limb, digit| limb * 10 + u32::from(digit - b'0'))
            })
            .collect();
        Whole { negative, limbs }.trimmed()
    }

    fn power_of_ten(power: u64) -> Whole {
        let mut limbs = vec![0; (power / 9) as usize];
        limbs.push(10u32.pow((power % 9) as u32));
        Whole {
            negative: false,
            limbs,
        }
    }

    fn trimmed(mut self) -> Whole {
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
        if self.limbs.is_empty() {
            self.negative = false;
        }
        self
    }

    fn shown(&self) -> String {
        let mut out = String::from(if self.negative { "-" } else { "" });
        match self.limbs.split_last() {
            None => out.push('0'),
            Some((first, rest)) => {
                out.push_str(&first.to_string());
                out.extend(rest.iter().rev().map(|limb| format!("{limb:09}")));
            }
        }
        out
    }

    fn compare_magnitudes(&self, other: &Whole) -> Ordering {
        self.limbs
            .len()
            .cmp(&other.limbs.len())
            .then_with(|| self.limbs.iter().rev().cmp(other.limbs.iter().rev()))
    }

    fn add(&self, other: &Whole) -> Whole {
        if self.negative == other.negative {
            return self.add_magnitude(other);
        }
        match self.compare_magnitudes(other) {
            Ordering::Less => other.subtract_magnitude(self),
            _ => self.subtract_magnitude(other),
        }
    }

    fn add_magnitude(&self, other: &Whole) -> Whole {
        let mut limbs = Vec::new();
        let mut carry = 0;
        for index in 0..self.limbs.len().max(other.limbs.len()) {
            let sum = carry + u64::from(limb(self, index)) + u64::from(limb(other, index));
            limbs.push((sum % BASE) as u32);
            carry = sum / BASE;
        }
        limbs.push(carry as u32);
        let negative = self.negative;
        Whole { negative, limbs }.trimmed()
    }

    /// `self - other`, where `other` isn't the larger one.
    fn subtract_magnitude(&self, other: &Whole) -> Whole {
        let mut limbs = Vec::new();
        let mut borrow = 0;
        for index in 0..self.limbs.len() {
            let taken = borrow + u64::from(limb(other, index));
            let held = u64::from(limb(self, index));
            borrow = u64::from(held < taken);
            limbs.push((held + borrow * BASE - taken) as u32);
        }
        let negative = self.negative;
        Whole { negative, limbs }.trimmed()
    }

    fn multiply(&self, other: &Whole) -> Whole {
        let mut limbs = vec![0u32; self.limbs.len() + other.limbs.len()];
        for (low, one) in self.limbs.iter().enumerate() {
            let mut carry = 0;
            for (high, two) in other.limbs.iter().enumerate() {
                let place = &mut limbs[low + high];
                let sum = u64::from(*place) + carry + u64::from(*one) * u64::from(*two);
                *place = (sum % BASE) as u32;
                carry = sum / BASE;
            }
            if let Some(place) = limbs.get_mut(low + other.limbs.len()) {
                *place = carry as u32;
            }
        }
        let negative = self.negative != other.negative;
        Whole { negative, limbs }.trimmed()
    }

    /// Quotient and rest of the magnitudes.
    fn divide_magnitudes(&self, divisor: &Whole) -> (Whole, Whole) {
        let divisor = Whole {
            negative: false,
            limbs: divisor.limbs.clone(),
        };
        let mut rest = Whole::default();
        let mut quotient = vec![0; self.limbs.len()];
        for index in (0..self.limbs.len()).rev() {
            rest.limbs.insert(0, self.limbs[index]);
            rest = rest.trimmed();
            let (mut low, mut high) = (0u64, BASE - 1);
            while low < high {
                let middle = (low + high).div_ceil(2);
                let product = divisor.multiply(&Whole {
                    negative: false,
                    limbs: vec![middle as u32],
                });
                if product.compare_magnitudes(&rest) == Ordering::Greater {
                    high = middle - 1;
                } else {
                    low = middle;
                }
            }
            quotient[index] = low as u32;
            let product = divisor.multiply(
                &Whole {
                    negative: false,
                    limbs: vec![low as u32],
                }
                .trimmed(),
            );
            rest = rest.subtract_magnitude(&product);
        }
        let quotient = Whole {
            negative: false,
            limbs: quotient,
        };
        (quotient.trimmed(), rest)
    }
}

fn limb(whole: &Whole, index: usize) -> u32 {
    whole.limbs.get(index).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    fn decimal(number: f64) -> Decimal {
        Decimal::of(number).unwrap()
    }

    #[test]
    fn sums_are_decimal() {
        assert_eq!(decimal(0.1).add(&decimal(0.2)).to_float(), 0.3);
        assert_eq!(decimal(1.0).subtract(&decimal(2.5)).to_float(), -1.5);
    }

    #[test]
    fn quotients_are_rounded_to_16_places() {
        let third = decimal(1.0).divide(&decimal(3.0)).unwrap();
        assert_eq!(third.to_float(), 0.333_333_333_333_333_3);
        let minus = decimal(-2.0).divide(&decimal(3.0)).unwrap();
        assert_eq!(minus.to_float(), -0.666_666_666_666_666_7);
        assert!(decimal(1.0).divide(&decimal(0.0)).is_err());
    }
}
