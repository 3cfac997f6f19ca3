//! Servers that refuse, redirect, break or are not there.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::{Case, Prediction, Run, about, case, compare, control_plane, make_namespace, wait_for};
use crate::cluster::api::path;
use crate::cluster::objects::verdict;

#[test]
fn each_server_fails_the_clone_as_it_fails_the_controllers() {
    let Some(plane) = control_plane() else { return };
    let cases = [statuses(), by_other_refs(), redirects(), addresses()];
    let cases: Vec<Case> = cases.into_iter().flatten().collect();
    compare(plane, "clone-servers", &cases);
}

fn statuses() -> Vec<Case> {
    const DOORS: [&str; 14] = [
        "/answers/401",
        "/answers/403",
        "/answers/404",
        "/answers/410",
        "/answers/429",
        "/answers/500",
        "/answers/503",
        "/answers/200",
        "/answers/304",
        "/pages/401",
        "/pages/403",
        "/pages/404",
        "/pages/200",
        "/answers/204",
    ];
    DOORS
        .into_iter()
        .map(|door| case(&door[1..].replace('/', "-")).door(door))
        .collect()
}

fn by_other_refs() -> Vec<Case> {
    let refs = [
        ("tag", json!({"tag": "x"})),
        ("semver", json!({"semver": "x"})),
        ("commit", json!({"commit": "{main}"})),
        ("name", json!({"name": "refs/heads/main"})),
    ];
    refs.into_iter()
        .flat_map(|(name, checkout)| {
            let of = |door: &'static str| {
                case(&format!("{name}-{}", door.replace('/', "")))
                    .refs(checkout.clone(), "new")
                    .door(door)
            };
            [
                of("/answers/404"),
                of("/slow").source(json!({"timeout": "1s"})),
            ]
        })
        .collect()
}

fn redirects() -> Vec<Case> {
    vec![
        case("moved").door("/moved"),
        case("moved-twice").door("/moved/moved"),
        case("moved-refused").door("/moved/answers/403"),
        case("looping").door("/looping"),
        case("slow").door("/slow").source(json!({"timeout": "1s"})),
        case("elsewhere").door("/elsewhere"),
    ]
}

fn addresses() -> Vec<Case> {
    let at = |name: &str, url: &str| case(name).source(json!({"url": url}));
    vec![
        at("nobody-there", "http://127.0.0.1:9/x.git"),
        at("no-name", "http://nohost.invalid/x.git").loosely_from("lookup nohost.invalid"),
        at("url-bad", "http://[::1"),
        at(
            "url-escaped",
            "http://{git}/clone-servers%2Durl-escaped.git",
        ),
    ]
}

#[derive(Debug, Deserialize)]
struct AskedElsewhere {
    path: String,
    authorization: bool,
}

/// Where the controller's library and we part on purpose: it sends its login to another port of the same host, we don't.
#[test]
fn the_other_port_never_sees_our_login() {
    let Some(plane) = control_plane() else { return };
    let namespace = "clone-elsewhere";
    plane.create_namespace(namespace);
    let run = Run::prepare(plane, namespace, &case("ours").door("/elsewhere"));
    assert!(matches!(run.predict(), Prediction::Cloned(_)));
    let asked: Vec<AskedElsewhere> = about(plane, "_elsewhere");
    let ours: Vec<&AskedElsewhere> = asked
        .iter()
        .filter(|asked| asked.path.contains(namespace))
        .collect();
    assert!(ours.len() >= 2, "{asked:?}");
    assert!(ours.iter().all(|asked| !asked.authorization), "{ours:?}");
}

/// An automation that has run once lists the remote's refs before it clones, and says so when that fails.
#[test]
fn a_later_run_fails_at_the_listing() {
    let Some(plane) = control_plane() else { return };
    let namespace = "clone-later";
    make_namespace(plane, namespace);
    let mut run = Run::prepare(plane, namespace, &case("branch"));
    run.judge(run.predict())
        .unwrap_or_else(|why| panic!("{why}"));
    let paths: Vec<String> = run.objects.iter().map(path).collect();
    let [source, automation] = &paths[..] else {
        panic!("{paths:?}")
    };
    let get = |path: &str| {
        plane
            .api
            .get(path)
            .unwrap_or_else(|refusal| panic!("{refusal:?}"))
    };
    // A run that finds nothing to do records the head that it saw.
    wait_for(
        "the revision to be observed",
        Duration::from_secs(60),
        || {
            get(automation)["status"]["observedSourceRevision"]
                .as_str()
                .map(|_| ())
        },
    );
    for door in ["/answers/403", "/slow"] {
        let url = format!("http://{}{door}/x.git", plane.addresses.git.address);
        let spec = json!({"spec": {"url": url, "timeout": "1s"}});
        plane
            .api
            .merge(source, &spec)
            .unwrap_or_else(|refusal| panic!("{refusal:?}"));
        run.objects = vec![get(source), get(automation)];
        let Prediction::Fails(failure) = run.predict() else {
            panic!("{door} fails");
        };
        assert!(
            failure.message.contains("unable to list remote for"),
            "{failure:?}"
        );
        wait_for(
            "the run to fail as predicted",
            Duration::from_secs(60),
            || {
                let verdict = verdict(&get(automation))?;
                (verdict.message == failure.message && verdict.reason == failure.reason)
                    .then_some(())
            },
        );
    }
}
