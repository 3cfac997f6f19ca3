//! Servers that the reflector and we ask.

use super::fake::{Asked, Authority, Fake, Reply};

/// The registry behind a fake.
pub fn image(fake: &Fake) -> String {
    format!("{}/team/app", fake.host())
}

/// Servers that the reflector and we ask.
pub struct Servers {
    /// Lists tags to everybody.
    pub open: Fake,
    /// Who vouches for `secure` and `mutual`.
    pub authority: Authority,
    /// Who vouches for `misnamed`.
    pub stranger: Authority,
    /// Speaks TLS.
    pub secure: Fake,
    /// Speaks TLS to those who show a certificate.
    pub mutual: Fake,
    /// Speaks TLS with the certificate of another.
    pub misnamed: Fake,
    /// Who vouches for itself, and speaks TLS.
    pub itself: (Authority, Fake),
    /// A proxy that answers itself.
    pub proxy: Fake,
    /// Wants tokens.
    pub tokens: Fake,
}

impl Servers {
    /// Starts them all.
    pub fn start() -> Self {
        let tags = || Reply::ok(r#"{"name": "team/app", "tags": ["1.0.0", "1.1.0"]}"#);
        let authority = Authority::new("127.0.0.1");
        let stranger = Authority::new("127.0.0.2");
        let itself = Authority::of_itself("127.0.0.1");
        let own = Fake::start_tls(itself.server(false), move |_| tags());
        Self {
            open: Fake::start(move |_| tags()),
            secure: Fake::start_tls(authority.server(false), move |_| tags()),
            mutual: Fake::start_tls(authority.server(true), move |_| tags()),
            misnamed: Fake::start_tls(stranger.server(false), move |_| tags()),
            proxy: Fake::start(move |asked| match asked.method.as_str() {
                "CONNECT" => Reply::new(405, ""),
                _ => tags(),
            }),
            tokens: Fake::start(with_tokens),
            itself: (itself, own),
            authority,
            stranger,
        }
    }
}

/// A registry with a token server: `user` and `swordfish`, or the refresh token `refresh-me`, buy a token.
fn with_tokens(asked: &Asked) -> Reply {
    let is_user = asked.authorization() == Some("Basic dXNlcjpzd29yZGZpc2g=");
    match (asked.method.as_str(), asked.target.as_str()) {
        ("POST", "/token") if asked.body.contains("refresh_token=refresh-me") => {
            Reply::ok(r#"{"access_token": "good"}"#)
        }
        ("POST", "/token") if asked.body.contains("refresh_token=later") => Reply::new(503, ""),
        ("POST", "/token") => Reply::new(400, r#"{"error": "invalid_grant"}"#),
        ("GET", target) if target.starts_with("/token") && is_user => {
            Reply::ok(r#"{"token": "good", "expires_in": 300}"#)
        }
        ("GET", target) if target.starts_with("/token") => Reply::new(
            401,
            r#"{"errors":[{"code":"UNAUTHORIZED","message":"who are you?","detail":{"tries":3,"who":null}}]}"#,
        ),
        _ if asked.authorization() == Some("Bearer good") => Reply::ok(r#"{"tags": ["1.0.0"]}"#),
        _ => Reply::new(401, "").header(
            "WWW-Authenticate",
            format!(
                "Bearer realm=\"http://{}/token\",service=\"fake\"",
                asked.headers["host"]
            ),
        ),
    }
}
