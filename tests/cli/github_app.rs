//! `reconcile` with the token of a GitHub App.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rsa::pkcs1::{EncodeRsaPrivateKey as _, LineEnding};
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::sha2::Sha256;
use rsa::signature::Verifier as _;
use rsa::{BigUint, RsaPrivateKey};

use crate::git_server::TOKEN;
use crate::shop::Shop;

/// The primes of a key that is used nowhere else: to find others takes seconds.
const PRIMES: [&str; 2] = [
    "E1DAAF3D9AF9FF6A537C8F1AB94B0C5CAD3A79EF06B3C01284CBB5144E4A904ADA3F45E71653FCC94599819014B6AF58B16C7292452627D1522AFD6319412F87295A15CC5E345F98207543327DD38D4247803296576CA92AD3576950DA48A71D496B0826216E6B3507C22DEE4BD0BA1A2DFF1DBCC93E041950E947B7004557FD",
    "F229656AA25038CFFD6577014F4A0A878386316B5B9CC9059B4B4386E2620EA29EE07634A4EEAF10730209EAD78ECD9A506AC27AB65362FB6A6A1CB45C068CC87543F166303CA900999767BDD2779F52F33653CF0C6722D9967B30E4B0044BF25EC08356A50D8071DF42307B72DC722BE270F2BA007B4ED82137FAD1272ABED5",
];

fn key() -> RsaPrivateKey {
    let [p, q] = PRIMES.map(|prime| BigUint::parse_bytes(prime.as_bytes(), 16).unwrap());
    RsaPrivateKey::from_p_q(p, q, BigUint::from(65537u32)).unwrap()
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

/// A shop whose source is of GitHub, with an app at this place of the server and these installation data.
fn shop(api: &str, installation: &str) -> Shop {
    let shop = Shop::behind("app");
    let source = shop.environment.read("objects/source.yaml");
    let key = key().to_pkcs1_pem(LineEnding::LF).unwrap();
    let secret = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: app\n  namespace: flux-system\nstringData:\n  githubAppID: \"5\"\n  {installation}\n  githubAppBaseURL: {}\n  githubAppPrivateKey: |\n{}",
        shop.server.url(api),
        indented(&key)
    );
    let text = format!("{source}  provider: github\n  secretRef:\n    name: app\n{secret}");
    shop.environment.write("objects/source.yaml", &text);
    shop
}

/// Checks the proof that a request carried, and gives what it states.
fn claims(authorization: &str) -> serde_json::Value {
    let proof = authorization.strip_prefix("Bearer ").unwrap();
    let (said, signature) = proof.rsplit_once('.').unwrap();
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let signature = Signature::try_from(decode(signature).as_slice()).unwrap();
    VerifyingKey::<Sha256>::new(key().to_public_key())
        .verify(said.as_bytes(), &signature)
        .unwrap();
    let (header, claims) = said.split_once('.').unwrap();
    assert_eq!(decode(header), br#"{"alg":"RS256","typ":"JWT"}"#);
    serde_json::from_slice(&decode(claims)).unwrap()
}

#[test]
fn a_token_of_the_app_clones_and_pushes() {
    for installation in [
        "githubAppInstallationID: \"7\"",
        "githubAppInstallationOwner: some-one",
    ] {
        let shop = shop("github", installation);
        let ran = shop.reconcile(&["--yes", "-o", "json", "-v"]).expect(0);
        let row = &ran.json()["automations"][0];
        assert_eq!(row["commit"], shop.head("main"));
        assert!(
            ran.stderr.contains("with Secret flux-system/app") || ran.stderr.contains("pushed"),
            "{}",
            ran.stderr
        );
        for secret in [TOKEN, "Bearer", "eyJ", "PRIVATE"] {
            assert!(!ran.stderr.contains(secret), "{}", ran.stderr);
        }
        let seen = shop.server.seen();
        let asked: Vec<_> = seen
            .iter()
            .filter(|seen| seen.target.starts_with("/github/"))
            .collect();
        let expected = if installation.contains("Owner") { 3 } else { 1 };
        assert_eq!(asked.len(), expected, "{asked:?}");
        for request in asked {
            let claims = claims(request.authorization.as_deref().unwrap());
            let now = jiff::Timestamp::now().as_second();
            let (from, to) = (
                claims["iat"].as_i64().unwrap(),
                claims["exp"].as_i64().unwrap(),
            );
            assert_eq!(claims["iss"], "5");
            assert!(from < now && now < to && to - from <= 600, "{claims}");
        }
        assert_eq!(shop.environment.left_behind(), Vec::<String>::new());
    }
}

#[test]
fn a_refused_app_is_told_in_the_controllers_words() {
    for (api, installation, said, advice) in [
        (
            "github",
            "githubAppInstallationID: \"8\"",
            "POST API/app/installations/8/access_tokens: 401 A JSON web token could not be decoded []",
            "check that githubAppID and githubAppPrivateKey belong together",
        ),
        (
            "github",
            "githubAppInstallationOwner: nobody",
            "failed to find organization installation: GET API/orgs/nobody/installation: 404 Not Found []\nfailed to find user installation: GET API/users/nobody/installation: 404 Not Found []",
            "that the app is installed there",
        ),
        (
            "answers/503",
            "githubAppInstallationID: \"7\"",
            "POST API/app/installations/7/access_tokens: 503  []",
            "gives no token: 503",
        ),
    ] {
        let shop = shop(api, installation);
        let before = shop.refs();
        let ran = shop.reconcile(&["--yes", "-o", "json"]).expect(5);
        let said = said.replace("API", &shop.server.url(api));
        assert_eq!(
            ran.json()["automations"][0]["error"]["message"],
            format!(
                "failed configuring source manager: failed to configure authentication options: {said}"
            ),
            "{}",
            ran.stderr
        );
        assert!(
            ran.stderr.contains(advice) && ran.stderr.contains("as a GitHub App"),
            "{}",
            ran.stderr
        );
        assert_eq!(shop.refs(), before);
    }
}

#[test]
fn an_api_that_never_answers_is_given_up() {
    let shop = shop("slow", "githubAppInstallationID: \"7\"");
    let text = shop.environment.read("objects/source.yaml");
    shop.environment.write(
        "objects/source.yaml",
        &text.replace("  provider: github", "  timeout: 1s\n  provider: github"),
    );
    let ran = shop.reconcile(&["--yes"]).expect(5);
    assert!(
        ran.stderr
            .contains("can't be asked: context deadline exceeded"),
        "{}",
        ran.stderr
    );
}
