//! Mirrors `pkg/labels/selector.go` of k8s.io/apimachinery 0.36: label selectors written as text, as `-l` and the
//! controllers' `--watch-label-selector` take them.

use std::collections::BTreeMap;
use std::fmt;

/// What labels must satisfy: all of its requirements. The empty selector takes everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

/// One requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    NotEquals,
    Exists,
    DoesNotExist,
    GreaterThan,
    LessThan,
}

/// Why a text is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(String);

impl Selector {
    /// Reads `app=shop,tier in (web, api),!canary` and the like.
    ///
    /// # Errors
    ///
    /// The text is no list of requirements.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut reader = Reader { rest: text };
        let mut requirements = Vec::new();
        reader.skip_blanks();
        if reader.rest.is_empty() {
            return Ok(Self::default());
        }
        loop {
            requirements.push(reader.requirement()?);
            reader.skip_blanks();
            if reader.rest.is_empty() {
                return Ok(Self { requirements });
            }
            if !reader.take(",") {
                return Err(SelectorError(format!(
                    "expected ',' before {:?}",
                    reader.rest
                )));
            }
        }
    }

    /// Whether `labels` satisfy it.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.requirements
            .iter()
            .all(|requirement| requirement.matches(labels))
    }

    /// Why a controller doesn't start with it as its `--watch-label-selector`: it takes fewer operators than `-l` does.
    pub fn unusable_for_watching(&self) -> Option<&'static str> {
        let operators = self.requirements.iter().map(|one| one.operator);
        operators.into_iter().find_map(|operator| match operator {
            Operator::NotEquals => Some("\"!=\" is not a valid label selector operator"),
            Operator::GreaterThan => Some("\"gt\" isn't supported in label selectors"),
            Operator::LessThan => Some("\"lt\" isn't supported in label selectors"),
            Operator::In | Operator::NotIn | Operator::Exists | Operator::DoesNotExist => None,
        })
    }

    /// Whether it takes everything.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, one) in self.requirements.iter().enumerate() {
            if index > 0 {
                formatter.write_str(",")?;
            }
            let Requirement { key, values, .. } = one;
            let values = values.join(",");
            match one.operator {
                Operator::In if one.values.len() == 1 => write!(formatter, "{key}={values}"),
                Operator::In => write!(formatter, "{key} in ({values})"),
                Operator::NotIn => write!(formatter, "{key} notin ({values})"),
                Operator::NotEquals => write!(formatter, "{key}!={values}"),
                Operator::Exists => formatter.write_str(key),
                Operator::DoesNotExist => write!(formatter, "!{key}"),
                Operator::GreaterThan => write!(formatter, "{key}>{values}"),
                Operator::LessThan => write!(formatter, "{key}<{values}"),
            }?;
        }
        Ok(())
    }
}

impl Requirement {
    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let label = labels.get(&self.key);
        let number = |text: &String| text.parse::<i64>().ok();
        let compared = |holds: fn(i64, i64) -> bool| {
            let limit = self.values.first().and_then(number);
            label
                .and_then(number)
                .zip(limit)
                .is_some_and(|(value, limit)| holds(value, limit))
        };
        match self.operator {
            Operator::In => label.is_some_and(|label| self.values.contains(label)),
            Operator::NotIn | Operator::NotEquals => {
                label.is_none_or(|label| !self.values.contains(label))
            }
            Operator::Exists => label.is_some(),
            Operator::DoesNotExist => label.is_none(),
            Operator::GreaterThan => compared(|value, limit| value > limit),
            Operator::LessThan => compared(|value, limit| value < limit),
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    fn take(&mut self, symbol: &str) -> bool {
        self.skip_blanks();
        match self.rest.strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The text up to the next blank or symbol.
    fn word(&mut self) -> String {
        self.skip_blanks();
        let special = |character: char| {
            matches!(character, ' ' | '\t' | '\r' | '\n')
                || matches!(character, '=' | '!' | '(' | ')' | ',' | '>' | '<')
        };
        let end = self.rest.find(special).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word.to_owned()
    }

    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let absent = self.take("!");
        let key = self.word();
        if key.is_empty() {
            return Err(SelectorError(format!(
                "expected a label before {:?}",
                self.rest
            )));
        }
        let (operator, values) = if absent {
            (Operator::DoesNotExist, Vec::new())
        } else {
            self.operation()?
        };
        Ok(Requirement {
            key,
            operator,
            values,
        })
    }

    fn operation(&mut self) -> Result<(Operator, Vec<String>), SelectorError> {
        for (symbol, operator) in [
            ("==", Operator::In),
            ("=", Operator::In),
            ("!=", Operator::NotEquals),
            (">", Operator::GreaterThan),
            ("<", Operator::LessThan),
        ] {
            if self.take(symbol) {
                return Ok((operator, vec![self.word()]));
            }
        }
        self.skip_blanks();
        if self.rest.is_empty() || self.rest.starts_with(',') {
            return Ok((Operator::Exists, Vec::new()));
        }
        match self.word().as_str() {
            "in" => Ok((Operator::In, self.list()?)),
            "notin" => Ok((Operator::NotIn, self.list()?)),
            other => Err(SelectorError(format!(
                "{other:?} is no operator: use =, ==, !=, in, notin, > or <"
            ))),
        }
    }

    fn list(&mut self) -> Result<Vec<String>, SelectorError> {
        if !self.take("(") {
            return Err(SelectorError(format!(
                "expected '(' before {:?}",
                self.rest
            )));
        }
        let mut values = Vec::new();
        loop {
            values.push(self.word());
            if self.take(")") {
                return Ok(values);
            }
            if !self.take(",") {
                return Err(SelectorError(format!(
                    "expected ',' or ')' before {:?}",
                    self.rest
                )));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(selector: &str, labels: &[(&str, &str)]) -> bool {
        let labels = labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        Selector::parse(selector).unwrap().matches(&labels)
    }

    #[test]
    fn all_requirements_must_hold() {
        let shop = [("app", "shop"), ("tier", "3")];
        for selector in [
            "",
            "app=shop",
            "app == shop , tier>2",
            "app in (web, shop),tier<4",
            "app,!canary",
            "app notin (web),other!=x",
        ] {
            assert!(matches(selector, &shop), "{selector}");
        }
        for selector in [
            "app=web",
            "!app",
            "canary",
            "app notin (shop)",
            "tier>3",
            "app=shop,tier=4",
        ] {
            assert!(!matches(selector, &shop), "{selector}");
        }
        assert!(matches("!sharding.fluxcd.io/key", &[]));
        assert!(!matches("sharding.fluxcd.io/key=shard1", &[]));
    }

    #[test]
    fn a_controller_takes_fewer_operators() {
        let why = |selector: &str| Selector::parse(selector).unwrap().unusable_for_watching();
        for selector in ["a=b", "a in (b,c)", "a notin (b)", "a", "!a", ""] {
            assert_eq!(why(selector), None, "{selector}");
            assert_eq!(Selector::parse(selector).unwrap().to_string(), selector);
        }
        assert_eq!(
            why("a,b!=c"),
            Some("\"!=\" is not a valid label selector operator")
        );
        assert_eq!(
            why("a>1"),
            Some("\"gt\" isn't supported in label selectors")
        );
    }

    #[test]
    fn other_texts_are_refused() {
        for selector in ["=", "a b", "a in b", "a in (b", "a,", "!,a", "a=b c"] {
            assert!(Selector::parse(selector).is_err(), "{selector}");
        }
    }
}
