//! `diff --dry-run=server` against API servers that are busy, old, or go away: said object by object, and the rest goes on.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::cluster::kubeconfig;
use crate::environment::{Environment, Ran, deployment};
use crate::server::{Request, Response, Server};

/// What a server does with the PATCH of a Deployment, by its name, and how often it has been asked before.
type Behaviour = fn(name: &str, asked: usize) -> Option<Response>;

/// The objects of [`Environment::shop`] and the files of three Deployments more, which no Kustomization applies, with a server
/// that has all of them with the old image.
fn shop(behaviour: Behaviour) -> (Environment, Server) {
    let environment = Environment::shop();
    for name in ["busy", "gone", "old"] {
        environment.write(
            &format!("gitops/apps/{name}.yaml"),
            &deployment("app", "1.0.0").replacen("name: app", &format!("name: {name}"), 1),
        );
    }
    let asked: Mutex<BTreeMap<String, usize>> = Mutex::default();
    let server = Server::start(move |request| {
        let name = request.path.rsplit('/').next().unwrap_or_default();
        if request.method == "PATCH" {
            let mut asked = asked.lock().unwrap();
            let before = asked.entry(name.to_owned()).or_default();
            let response = behaviour(name, *before);
            *before += 1;
            return response.unwrap_or_else(|| Response::json(200, &live(name, "1.2.0")));
        }
        answer(request, name)
    });
    environment.write(".kube/config", &kubeconfig(&server.address, "let-me-in"));
    (environment, server)
}

fn answer(request: &Request, name: &str) -> Response {
    let is_object = request
        .path
        .contains("/namespaces/flux-system/deployments/");
    match request.path.as_str() {
        _ if is_object => Response::json(200, &live(name, "1.0.0")),
        "/apis/apps/v1" => Response::json(
            200,
            &json!({"resources": [{"name": "deployments", "kind": "Deployment", "namespaced": true}]}),
        ),
        path if path.ends_with('s') => {
            Response::json(200, &json!({"kind": "List", "metadata": {}, "items": []}))
        }
        _ => Response::text(404, "404 page not found"),
    }
}

fn live(name: &str, tag: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"namespace": "flux-system", "name": name, "uid": "u", "resourceVersion": "7"},
        "spec": {"template": {"spec": {"containers": [
            {"name": "app", "image": format!("registry.example.com/team/app:{tag}")},
        ]}}},
    })
}

fn status(code: u16, message: &str) -> Response {
    Response::json(
        code,
        &json!({"kind": "Status", "status": "Failure", "code": code, "message": message}),
    )
}

/// Outcome and message of each object by name.
fn rows(ran: &Ran) -> BTreeMap<String, (String, String)> {
    let document = ran.json();
    let rows = document["automations"][0]["dryRun"].as_array().cloned();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    rows.unwrap()
        .iter()
        .map(|row| {
            let told = (text(&row["outcome"]), text(&row["message"]));
            (text(&row["object"]["name"]), told)
        })
        .collect()
}

fn asked(environment: &Environment) -> Ran {
    environment.diff(&["--dry-run=server", "-o", "json"])
}

#[test]
fn a_busy_server_is_asked_again_and_one_that_stays_busy_is_told() {
    let (environment, server) = shop(|name, asked| {
        let is_busy = name == "busy" || asked < 2;
        is_busy.then(|| {
            let mut response = status(429, "too many requests, please try again later");
            response.headers.push(("Retry-After", "0".into()));
            response
        })
    });
    let rows = rows(&asked(&environment).expect(1));
    for name in ["app", "gone", "old"] {
        assert_eq!(rows[name].0, "changed", "{rows:?}");
    }
    let (outcome, message) = &rows["busy"];
    assert_eq!(outcome, "notChecked");
    assert!(message.contains("429 too many requests"), "{message}");
    let patches = server.requests().into_iter();
    let patches: Vec<Request> = patches
        .filter(|request| request.method == "PATCH")
        .collect();
    assert_eq!(patches.len(), 3 * 3 + 6);
    let all_dry = patches
        .iter()
        .all(|request| request.parameter("dryRun").as_deref() == Some("All"));
    assert!(all_dry, "{patches:?}");
}

#[test]
fn a_server_that_goes_away_is_told_with_each_object() {
    let (environment, _) = shop(|name, _| (name == "gone").then(Response::none));
    let ran = asked(&environment).expect(3);
    let rows = rows(&ran);
    for name in ["app", "busy", "old"] {
        assert_eq!(rows[name].0, "changed", "{rows:?}");
    }
    let (outcome, message) = &rows["gone"];
    assert_eq!(outcome, "notChecked");
    assert!(message.contains("can't be reached"), "{message}");
}

#[test]
fn what_an_old_server_can_not_do_is_told_with_each_object() {
    let (environment, _) = shop(|name, _| {
        (name == "old").then(|| {
            status(
                415,
                "the body of the request was in an unknown format - accepted media types include: application/json-patch+json",
            )
        })
    });
    let ran = asked(&environment).expect(1);
    let rows = rows(&ran);
    for name in ["app", "busy", "gone"] {
        assert_eq!(rows[name].0, "changed", "{rows:?}");
    }
    let (outcome, message) = &rows["old"];
    assert_eq!(outcome, "notChecked");
    assert!(message.contains("415"), "{message}");
}

#[test]
fn a_server_that_refuses_gives_the_exit_code_and_the_finding() {
    let (environment, _) = shop(|name, _| {
        (name == "app").then(|| {
            status(
                403,
                "admission webhook \"w.example.com\" denied the request: no",
            )
        })
    });
    let ran = environment.diff(&["--dry-run=server"]).expect(8);
    assert!(
        ran.stderr.contains("error[apply-rejected]"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("3 changed"), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 rejected"), "{}", ran.stderr);
}
