//! `WWW-Authenticate` as go-containerregistry reads it: the first challenge of each line, and of those the first that is
//! Basic or Bearer.

use std::collections::BTreeMap;

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// What a registry asks for; the scheme is in lower case, and empty where it asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Challenge {
    pub scheme: String,
    pub parameters: BTreeMap<String, String>,
}

/// The challenges of an answer, one for each line that has any.
pub(super) fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| first_challenge(&String::from_utf8_lossy(value.as_bytes())))
        .collect()
}

/// The challenge of a refused ping that is answered.
pub(super) fn choose(headers: &HeaderMap) -> Challenge {
    let mut challenges = challenges(headers);
    let known = challenges
        .iter()
        .position(|challenge| matches!(challenge.scheme.as_str(), "basic" | "bearer"));
    match known {
        Some(place) => challenges.swap_remove(place),
        None => challenges.into_iter().next().unwrap_or_default(),
    }
}

fn first_challenge(line: &str) -> Option<Challenge> {
    let (scheme, rest) = token(line);
    if scheme.is_empty() {
        return None;
    }
    let mut challenge = Challenge {
        scheme: scheme.to_ascii_lowercase(),
        parameters: BTreeMap::new(),
    };
    let mut rest = format!(",{}", rest.trim_start_matches(is_space));
    while let Some(after) = rest.strip_prefix(',') {
        let (key, after) = token(after.trim_start_matches(is_space));
        let Some((value, after)) = after
            .strip_prefix('=')
            .filter(|_| !key.is_empty())
            .and_then(token_or_quoted)
        else {
            break;
        };
        challenge.parameters.insert(key.to_ascii_lowercase(), value);
        rest = after.trim_start_matches(is_space).to_owned();
    }
    Some(challenge)
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

fn is_token(character: char) -> bool {
    character.is_ascii_graphic() && !"\"(),/:;<=>?@[]\\{}".contains(character)
}

fn token(text: &str) -> (&str, &str) {
    text.split_at(
        text.find(|character| !is_token(character))
            .unwrap_or(text.len()),
    )
}

/// A value that isn't empty, and what follows it.
fn token_or_quoted(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = token(text);
        return (!value.is_empty()).then(|| (value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return (!value.is_empty()).then(|| (value, &quoted[place + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(lines: &[&str]) -> HeaderMap {
        let lines = lines
            .iter()
            .map(|line| (WWW_AUTHENTICATE, HeaderValue::from_str(line).unwrap()));
        lines.collect()
    }

    fn chosen(lines: &[&str]) -> (String, Vec<(String, String)>) {
        let challenge = choose(&headers(lines));
        (challenge.scheme, challenge.parameters.into_iter().collect())
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        let pairs = expected.iter();
        pairs
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn parameters_are_tokens_or_quoted() {
        assert_eq!(
            chosen(&[r#"Bearer Realm="https://auth.io/token" , service=reg.io,scope="a b \"c\"""#]),
            (
                "bearer".into(),
                pairs(&[
                    ("realm", "https://auth.io/token"),
                    ("scope", "a b \"c\""),
                    ("service", "reg.io"),
                ])
            )
        );
        assert_eq!(chosen(&["Basic"]), ("basic".into(), Vec::new()));
        assert_eq!(
            chosen(&[r#"Bearer realm="",service="x""#]),
            ("bearer".into(), Vec::new())
        );
    }

    #[test]
    fn the_first_known_scheme_of_all_lines_counts() {
        assert_eq!(
            chosen(&["Negotiate", r#"Basic realm="a""#, r#"Bearer realm="b""#]),
            ("basic".into(), pairs(&[("realm", "a")]))
        );
        // Of one line only the first challenge is seen; the rest is read as its parameters.
        assert_eq!(chosen(&[r#"Negotiate, Basic realm="a""#]).0, "negotiate");
        assert_eq!(chosen(&[]).0, "");
        assert_eq!(chosen(&[", x"]).0, "");
    }
}
