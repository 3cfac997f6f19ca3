use std::env;
use std::fs;
use std::process::Command;

use super::fake::{Fake, Reply};
use super::*;

/// What a process with these variables finds at `host`: the tags, or the error.
fn found(host: &str, variables: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let answer = folder.path().join("answer");
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "environment::the_environments_proxies_count"])
        .env_remove("http_proxy")
        .env_remove("https_proxy")
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .env("REGISTRY_WIRE_HOST", host)
        .env("REGISTRY_WIRE_ANSWER", &answer)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    fs::read_to_string(answer).unwrap()
}

/// A variable of a process can't be changed safely: the test runs itself again with other ones.
#[test]
fn the_environments_proxies_count() {
    if let Ok(host) = env::var("REGISTRY_WIRE_HOST") {
        let access = RegistryAccess {
            insecure: true,
            ..RegistryAccess::default()
        };
        let limits = ScanLimits::within(Duration::from_secs(5));
        let found = match run(registries().tags(&image(&host), &access, limits)) {
            Ok(listing) => format!("{:?}", listing.tags),
            Err(error) => error.to_string(),
        };
        fs::write(env::var_os("REGISTRY_WIRE_ANSWER").unwrap(), found).unwrap();
        return;
    }
    let proxy = Fake::start(|asked| match asked.method.as_str() {
        "CONNECT" => Reply::new(405, ""),
        _ => Reply::ok(r#"{"tags": ["by-proxy"]}"#),
    });
    let address = format!("http://{}", proxy.host());
    let variables = [("HTTP_PROXY", address.as_str()), ("HTTPS_PROXY", &address)];
    assert_eq!(found("203.0.113.7", &variables), "[\"by-proxy\"]");
    assert_eq!(
        proxy.lines().last().unwrap(),
        &format!("GET http://203.0.113.7{LIST}")
    );

    let fake = Fake::start(|_| Reply::ok(r#"{"tags": ["direct"]}"#));
    assert_eq!(found(&fake.host(), &variables), "[\"direct\"]");

    let dead = [
        ("HTTP_PROXY", "http://127.0.0.1:1"),
        ("HTTPS_PROXY", "http://127.0.0.1:1"),
    ];
    let error = found("203.0.113.7", &dead);
    assert!(
        error.starts_with(
            "Get \"https://203.0.113.7/v2/\": proxyconnect tcp: dial tcp 127.0.0.1:1: connect: "
        ),
        "{error}"
    );
}
