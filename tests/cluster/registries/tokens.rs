//! A token server with a key of its own, for a registry that trusts it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use imageauto::go::url::Url;
use rcgen::SigningKey as _;
use serde_json::{Value, json};

use crate::cluster::scans::fake::{Asked, Fake, Reply};

/// Who the tokens are from, and for whom.
const NAME: &str = "tests";
/// How long a token lasts; the registry gives a minute more.
const LIFE: u64 = 300;

/// The accounts: `puller` may pull everything, `late` gets a token that is over before the one that isn't, each time, and
/// who has the refresh token is `puller` too. Anybody may pull what begins with `public/`.
pub const PASSWORD: &str = "let-me-pull";
pub const REFRESH_TOKEN: &str = "refresh-me";

/// A token server.
pub struct TokenServer {
    fake: Fake,
    /// What a registry trusts, PEM.
    certificate: String,
}

struct Signer {
    key: rcgen::KeyPair,
    /// The certificate, DER in base 64.
    chain: String,
    late: AtomicUsize,
}

impl TokenServer {
    /// Starts it.
    pub fn start() -> Self {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key can be made");
        let parameters = rcgen::CertificateParams::new(vec![NAME.to_owned()])
            .expect("the name is one of a host");
        let certificate = parameters
            .self_signed(&key)
            .expect("it can sign for itself");
        let signer = Signer {
            chain: BASE64_STANDARD.encode(certificate.der()),
            key,
            late: AtomicUsize::new(0),
        };
        Self {
            certificate: certificate.pem(),
            fake: Fake::start(move |asked| signer.answer(asked)),
        }
    }

    /// The configuration of a registry that sends its clients here, and the files that go with it.
    pub fn registry(&self) -> (Value, Value) {
        // The realm's host is a name: an address would have to be the registry's own.
        let realm = format!("http://{}/token", self.fake.other_host());
        (
            json!({"auth": {"token": {
                "realm": realm, "service": NAME, "issuer": NAME, "rootcertbundle": "{folder}/token.pem",
            }}}),
            json!({"token.pem": self.certificate}),
        )
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.fake.asked()
    }
}

impl Signer {
    fn answer(&self, asked: &Asked) -> Reply {
        let Ok(url) = Url::parse(&asked.target) else {
            return Reply::new(400, "");
        };
        let mut pairs = url.query_pairs();
        let user = if asked.method == "POST" {
            let form = Url::parse(&format!("/?{}", asked.body)).map(|url| url.query_pairs());
            pairs = form.unwrap_or_default();
            let refresh = ("refresh_token".to_owned(), REFRESH_TOKEN.to_owned());
            pairs.contains(&refresh).then(|| "puller".to_owned())
        } else {
            user(asked)
        };
        let Some(user) = user else {
            return Reply::new(
                401,
                r#"{"errors":[{"code":"UNAUTHORIZED","message":"wrong user or password"}]}"#,
            );
        };
        let scopes = pairs.iter().filter(|(name, _)| name == "scope");
        let access: Vec<Value> = scopes
            .filter_map(|(_, scope)| access(&user, scope))
            .collect();
        let is_over = user == "late" && self.late.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        let token = self.token(&user, &access, is_over);
        Reply::ok(json!({"token": token, "expires_in": LIFE}).to_string())
    }

    fn token(&self, user: &str, access: &[Value], is_over: bool) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.expect("it is after 1970").as_secs();
        let from = if is_over { now - 2 * LIFE } else { now };
        let claims = json!({
            "iss": NAME, "sub": user, "aud": NAME, "jti": format!("{user}-{now}"),
            "iat": from, "nbf": from, "exp": from + LIFE, "access": access,
        });
        let header = json!({"typ": "JWT", "alg": "EdDSA", "x5c": [self.chain]});
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.key.sign(signed.as_bytes()).expect("the key can sign");
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Who asks by name and password; `None`: somebody who isn't known.
fn user(asked: &Asked) -> Option<String> {
    let Some(authorization) = asked.authorization() else {
        return Some(String::new());
    };
    let login = BASE64_STANDARD
        .decode(authorization.strip_prefix("Basic ")?)
        .ok()?;
    let login = String::from_utf8(login).ok()?;
    let (user, password) = login.split_once(':')?;
    let known = ["puller", "late"].contains(&user) && password == PASSWORD;
    known.then(|| user.to_owned())
}

/// What a user gets of `repository:NAME:ACTIONS`.
fn access(user: &str, scope: &str) -> Option<Value> {
    let name = scope.strip_prefix("repository:")?.split(':').next()?;
    let allowed = !user.is_empty() || name.starts_with("public/");
    allowed.then(|| json!({"type": "repository", "name": name, "actions": ["pull"]}))
}
