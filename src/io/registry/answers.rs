//! The bodies of registries and token servers, read as the controller's Go reads them.

use crate::go::json::{self, Json};
use crate::go::url::{Url, encoded_query};

/// One page of a tag list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub tags: Vec<String>,
    /// The next page, where the body itself names it; else empty.
    pub next: String,
    /// The errors that the body tells instead of tags, `CODE: MESSAGE`; the controller doesn't look at them.
    pub errors: Vec<String>,
}

/// What a token server answers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Token {
    /// `access_token`, else `token`; empty where there is neither.
    pub token: String,
    pub refresh_token: String,
    /// In seconds; zero where it isn't said.
    pub expires_in: i64,
}

/// Reads a page; a body that ended too early because of `broken` is that error, unless it holds all of the page.
pub(super) fn page(body: &[u8], broken: Option<&str>) -> Result<Page, String> {
    let document = match (json::read_first(body), broken) {
        (Ok(document), _) => document,
        (Err(error), Some(broken)) if error.to_string().ends_with("EOF") => {
            return Err(broken.to_owned());
        }
        (Err(error), _) => return Err(error.to_string()),
    };
    let mut page = Page {
        errors: diagnostics_in(&document)
            .into_iter()
            .map(|(_, text)| text)
            .collect(),
        ..Page::default()
    };
    let mut fields = Fields::of("Tags");
    match document {
        Json::Object(members) => {
            for (key, value) in members {
                match key.to_ascii_lowercase().as_str() {
                    // Nothing is done with it, but it must be a text.
                    "name" => fields.string("name", value, &mut String::new()),
                    "tags" => fields.strings("tags", value, &mut page.tags),
                    "next" => fields.string("next", value, &mut page.next),
                    _ => {}
                }
            }
        }
        Json::Null => {}
        other => return Err(json::mismatch(other.kind(), "", "remote.Tags")),
    }
    fields.complaint.map_or(Ok(page), Err)
}

/// Reads a token.
pub(super) fn token(body: &[u8]) -> Result<Token, String> {
    let document = json::read(body).map_err(|error| error.to_string())?;
    let (mut token, mut access_token) = (String::new(), String::new());
    let mut out = Token::default();
    let mut fields = Fields::of("Token");
    match document {
        Json::Object(members) => {
            for (key, value) in members {
                match key.to_ascii_lowercase().as_str() {
                    "token" => fields.string("token", value, &mut token),
                    "access_token" => fields.string("access_token", value, &mut access_token),
                    "refresh_token" => {
                        fields.string("refresh_token", value, &mut out.refresh_token);
                    }
                    "expires_in" => fields.integer("expires_in", value, &mut out.expires_in),
                    _ => {}
                }
            }
        }
        Json::Null => {}
        other => return Err(json::mismatch(other.kind(), "", "transport.Token")),
    }
    if let Some(complaint) = fields.complaint {
        return Err(complaint);
    }
    out.token = if access_token.is_empty() {
        token
    } else {
        access_token
    };
    if out.token.is_empty() {
        let shown = String::from_utf8_lossy(body);
        let shown = match out.refresh_token.as_str() {
            "" => shown.into_owned(),
            secret => shown.replace(secret, "REDACTED"),
        };
        return Err(format!("no token in bearer response:\n{shown}"));
    }
    Ok(out)
}

/// Fills the fields of a Go struct, keeping the first complaint.
struct Fields {
    go_struct: &'static str,
    complaint: Option<String>,
}

impl Fields {
    fn of(go_struct: &'static str) -> Self {
        Self {
            go_struct,
            complaint: None,
        }
    }

    fn complain(&mut self, value: &str, field: &str, go_type: &str) {
        let place = format!("{}.{field}", self.go_struct);
        self.complaint
            .get_or_insert_with(|| json::mismatch(value, &place, go_type));
    }

    fn string(&mut self, field: &str, value: Json, out: &mut String) {
        match value {
            Json::String(text) => *out = text,
            Json::Null => {}
            other => self.complain(other.kind(), field, "string"),
        }
    }

    fn strings(&mut self, field: &str, value: Json, out: &mut Vec<String>) {
        match value {
            Json::Array(items) => {
                out.clear();
                for item in items {
                    // Null leaves the empty text that stands there.
                    let mut text = String::new();
                    self.string(field, item, &mut text);
                    out.push(text);
                }
            }
            Json::Null => out.clear(),
            other => self.complain(other.kind(), field, "[]string"),
        }
    }

    fn integer(&mut self, field: &str, value: Json, out: &mut i64) {
        match value {
            Json::Number(text) => match text.parse() {
                Ok(number) => *out = number,
                Err(_) => self.complain(&format!("number {text}"), field, "int"),
            },
            Json::Null => {}
            other => self.complain(other.kind(), field, "int"),
        }
    }
}

/// The error text of an answer whose status isn't the one that is wanted.
pub(super) fn refusal(method: &str, url: &Url, status: u16, body: &[u8]) -> String {
    let said = match &diagnostics(body)[..] {
        [] => {
            let name = status_name(status);
            let text = String::from_utf8_lossy(body);
            match text.as_ref() {
                "" if method == "HEAD" => format!(
                    "unexpected status code {status} {name} (HEAD responses have no body, use GET for details)"
                ),
                "" => format!("unexpected status code {status} {name}"),
                text => format!("unexpected status code {status} {name}: {text}"),
            }
        }
        [(_, only)] => only.clone(),
        several => {
            let texts: Vec<&str> = several.iter().map(|(_, text)| text.as_str()).collect();
            format!("multiple errors returned: {}", texts.join("; "))
        }
    };
    format!("{method} {}: {said}", redacted(url))
}

/// Whether an answer says that there were too many requests.
pub(super) fn is_rate_limit(status: u16, body: &[u8]) -> bool {
    status == 429
        || diagnostics(body)
            .iter()
            .any(|(code, _)| code == "TOOMANYREQUESTS")
}

/// Whether an answer says that fewer tags at a time must be asked for: in Quay's words, or those of registries on older
/// versions of CNCF Distribution.
pub(super) fn is_page_too_long(status: u16, body: &[u8]) -> bool {
    const CODES: [&str; 2] = ["TOO_MANY_TAGS_REQUESTED", "PAGINATION_NUMBER_INVALID"];
    status == 400
        && diagnostics(body)
            .iter()
            .any(|(code, _)| CODES.contains(&code.as_str()))
}

/// Code and text of each error in the body, as far as it has the registries' form.
fn diagnostics(body: &[u8]) -> Vec<(String, String)> {
    json::read(body)
        .map(|document| diagnostics_in(&document))
        .unwrap_or_default()
}

fn diagnostics_in(document: &Json) -> Vec<(String, String)> {
    let Some(Json::Array(errors)) = document.members("errors").last() else {
        return Vec::new();
    };
    errors
        .iter()
        .map(|error| {
            let text = |name: &str| match error.members(name).last() {
                Some(Json::String(text)) => text.clone(),
                _ => String::new(),
            };
            let (code, message) = (text("code"), text("message"));
            let shown = match error.members("detail").last() {
                None | Some(Json::Null) => format!("{code}: {message}"),
                Some(detail) => format!("{code}: {message}; {}", detail.printed()),
            };
            (code, shown)
        })
        .collect()
}

/// The URL as error messages show it: user information goes, and so do values of the query that aren't the protocol's own.
pub(super) fn redacted(url: &Url) -> String {
    const KNOWN: [&str; 7] = ["scope", "service", "mount", "from", "digest", "n", "last"];
    let mut pairs = url.query_pairs();
    for (name, value) in &mut pairs {
        if !KNOWN.contains(&name.as_str()) {
            "REDACTED".clone_into(value);
        }
    }
    let mut shown = url.clone();
    shown.query = encoded_query(&pairs);
    shown.user = None;
    shown.to_string()
}

/// The status' name in Go, empty where it has none.
pub(super) fn status_name(status: u16) -> &'static str {
    match status {
        203 => "Non-Authoritative Information",
        413 => "Request Entity Too Large",
        414 => "Request URI Too Long",
        416 => "Requested Range Not Satisfiable",
        other => http::StatusCode::from_u16(other)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(body: &str) -> Result<Vec<String>, String> {
        page(body.as_bytes(), None).map(|page| page.tags)
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn pages_are_read_as_loosely_as_go_does() {
        assert_eq!(
            tags(r#"{"name": "a", "tags": ["b", "a", "b"]}"#),
            Ok(vec!["b".into(), "a".into(), "b".into()])
        );
        for nothing in [
            "{}",
            "null",
            r#"{"tags": null}"#,
            r#"{"name": null, "tags": []}"#,
        ] {
            assert_eq!(tags(nothing), Ok(Vec::new()), "{nothing}");
        }
        assert_eq!(
            tags(r#" {"TAGS": [null, "x"]} trailing"#),
            Ok(vec![String::new(), "x".into()])
        );
        assert_eq!(page(br#"{"next": "/v2/?x"}"#, None).unwrap().next, "/v2/?x");
    }

    #[test]
    fn what_is_no_page_is_gos_error() {
        for (body, expected) in [
            ("", "EOF"),
            (
                "<html>",
                "invalid character '<' looking for beginning of value",
            ),
            (r#"{"tags": ["a""#, "unexpected EOF"),
            (
                "[]",
                "json: cannot unmarshal array into Go value of type remote.Tags",
            ),
            (
                r#"{"tags": "a"}"#,
                "json: cannot unmarshal string into Go struct field Tags.tags of type []string",
            ),
            (
                r#"{"tags": ["a", 1], "name": 2}"#,
                "json: cannot unmarshal number into Go struct field Tags.tags of type string",
            ),
        ] {
            assert_eq!(tags(body), Err(expected.into()), "{body}");
        }
        let broken = |body: &str| page(body.as_bytes(), Some("context deadline exceeded"));
        assert_eq!(
            broken(r#"{"tags": ["a""#),
            Err("context deadline exceeded".into())
        );
        assert!(broken(r#"{"tags": ["a"]}"#).is_ok());
    }

    #[test]
    fn tokens_have_two_names() {
        let read = |body: &str| token(body.as_bytes()).map(|token| token.token);
        assert_eq!(read(r#"{"token": "a"}"#), Ok("a".into()));
        assert_eq!(
            read(r#"{"token": "a", "access_token": "b", "expires_in": 300}"#),
            Ok("b".into())
        );
        assert_eq!(
            read(r#"{"token": "a", "expires_in": "300"}"#),
            Err(
                "json: cannot unmarshal string into Go struct field Token.expires_in of type int"
                    .into()
            )
        );
        assert_eq!(
            read(r#"{"token": "a", "expires_in": 1.5}"#),
            Err("json: cannot unmarshal number 1.5 into Go struct field Token.expires_in of type int".into())
        );
        assert_eq!(
            read(r#"{"refresh_token": "swordfish"}"#),
            Err("no token in bearer response:\n{\"refresh_token\": \"REDACTED\"}".into())
        );
        assert_eq!(
            read("x"),
            Err("invalid character 'x' looking for beginning of value".into())
        );
    }

    #[test]
    fn refusals_are_shown_as_the_controller_does() {
        let list = url("https://h.io/v2/a/tags/list?n=1000");
        let shown = |status, body: &str| refusal("GET", &list, status, body.as_bytes());
        assert_eq!(
            shown(
                401,
                r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required","detail":[{"Type":"repository","Class":"","Name":"a","Action":"pull"}]}]}"#
            ),
            "GET https://h.io/v2/a/tags/list?n=1000: UNAUTHORIZED: authentication required; [map[Action:pull Class: Name:a Type:repository]]"
        );
        assert_eq!(
            shown(
                400,
                r#"{"errors":[{"code":"A","message":"b","detail":null},{"code":1}]}"#
            ),
            "GET https://h.io/v2/a/tags/list?n=1000: multiple errors returned: A: b; : "
        );
        assert_eq!(
            shown(403, "go away"),
            "GET https://h.io/v2/a/tags/list?n=1000: unexpected status code 403 Forbidden: go away"
        );
        assert_eq!(
            shown(499, ""),
            "GET https://h.io/v2/a/tags/list?n=1000: unexpected status code 499 "
        );
        assert_eq!(
            refusal("HEAD", &list, 404, b""),
            "HEAD https://h.io/v2/a/tags/list?n=1000: unexpected status code 404 Not Found (HEAD responses have no body, use GET for details)"
        );
        assert!(is_rate_limit(
            200,
            br#"{"errors":[{"code":"TOOMANYREQUESTS"}]}"#
        ));
    }

    #[test]
    fn queries_are_redacted() {
        assert_eq!(
            redacted(&url("https://u:p@h.io/x?token=abc&n=1&last=a%20b")),
            "https://h.io/x?last=a+b&n=1&token=REDACTED"
        );
    }
}
