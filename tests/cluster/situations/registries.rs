//! What can be wrong with ImageRepositories, their Secrets and the registries behind them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::stage::Stage;
use crate::cluster::registry::push_tags;
use crate::cluster::scans::fake::{Authority, Fake, Reply};

const NAMESPACE: &str = "registries";

fn subject(name: &str) -> String {
    format!("ImageRepository {NAMESPACE}/{name}")
}

/// Makes all of them.
pub fn make(stage: &mut Stage<'_>) {
    stage.namespace("fine");
    stage.listed("fine", "app", &["1.0.0", "1.1.0"], &json!({}));
    stage.namespace(NAMESPACE);
    logins(stage);
    answers(stage);
    connections(stage);
    specs(stage);
}

fn logins(stage: &mut Stage<'_>) {
    let registry = stage.plane.addresses.registry.clone();
    push_tags(stage.plane, "situations/app", ["1.0.0", "1.1.0"]);
    let image = format!("{}/situations/app", registry.address);
    let wrong = json!({"username": registry.user, "password": "wrong"});
    stage.pull_secret(NAMESPACE, "wrong-password", &registry.address, &wrong);
    let right = json!({"auth": registry.basic()});
    stage.pull_secret(NAMESPACE, "other-host", "ghcr.io", &right);
    let config = json!({"auths": {(&registry.address): right}}).to_string();
    stage.secret(NAMESPACE, "opaque", &json!({".dockerconfigjson": config}));
    for name in [
        "anonymous",
        "wrong-password",
        "other-host",
        "opaque",
        "gone-secret",
    ] {
        let more = match name {
            "anonymous" => json!({}),
            name => json!({"secretRef": {"name": name}}),
        };
        stage.repository(NAMESPACE, name, &image, &more);
    }
    for name in ["anonymous", "wrong-password"] {
        stage.expect("registry-unauthorized", subject(name));
        stage.expect_from("scan-stale", subject(name), "registry-unauthorized");
    }
    for name in ["other-host", "opaque"] {
        stage.expect("credentials-for-other-host", subject(name));
        stage.expect_from(
            "registry-unauthorized",
            subject(name),
            "credentials-for-other-host",
        );
        stage.expect_from("scan-stale", subject(name), "registry-unauthorized");
    }
    stage.expect("scan-stale", subject("gone-secret"));
    let both = json!({"secretRef": {"name": "pull"}, "certSecretRef": {"name": "pull"}});
    stage.repository(NAMESPACE, "one-secret", &image, &both);
    stage.expect("cert-secret-same-as-pull-secret", subject("one-secret"));
    stage.expect_from(
        "scan-stale",
        subject("one-secret"),
        "cert-secret-same-as-pull-secret",
    );
    let account = json!({"serviceAccountName": "gone"});
    stage.repository(NAMESPACE, "gone-account", &image, &account);
    stage.expect("scan-stale", subject("gone-account"));
    let cloud = json!({"provider": "aws", "serviceAccountName": "gone"});
    stage.repository(NAMESPACE, "gated", &image, &cloud);
    stage.expect("feature-gate-needed", subject("gated"));
    stage.expect_from("scan-stale", subject("gated"), "feature-gate-needed");
}

fn answers(stage: &mut Stage<'_>) {
    let errors = |code: &str, message: &str| {
        json!({"errors": [{"code": code, "message": message}]}).to_string()
    };
    let slow = errors("TOOMANYREQUESTS", "You have reached your pull rate limit.");
    let long = errors(
        "TOO_MANY_TAGS_REQUESTED",
        "Too many tags requested; requested limit 1000 is too high, max is 100",
    );
    for (name, reply, id) in [
        (
            "limited",
            Reply::new(429, slow).header("ratelimit-limit", "100;w=21600"),
            Some("rate-limited"),
        ),
        ("long-pages", Reply::new(400, long), Some("too-many-tags")),
        ("not-there", Reply::new(404, ""), None),
        ("broken", Reply::new(500, ""), None),
        ("no-json", Reply::ok("<html>"), None),
    ] {
        let fake = Fake::start(move |asked| match asked.target.as_str() {
            "/v2/" => Reply::ok("{}"),
            _ => reply.clone(),
        });
        stage.repository(
            NAMESPACE,
            name,
            &format!("{}/team/app", fake.host()),
            &json!({}),
        );
        match id {
            Some(id) => {
                stage.expect(id, subject(name));
                stage.expect_from("scan-stale", subject(name), id);
            }
            None => stage.expect("scan-stale", subject(name)),
        }
    }
}

fn connections(stage: &mut Stage<'_>) {
    let authority = Authority::new("127.0.0.1");
    let secure = Fake::start_tls(authority.server(false), |_| {
        Reply::ok(r#"{"tags": ["1.0.0"]}"#)
    });
    let image = |fake: &Fake| format!("{}/team/app", fake.host());
    stage.repository(NAMESPACE, "untrusted", &image(&secure), &json!({}));
    let certificates = json!({"ca.crt": Authority::new("127.0.0.1").certificate});
    stage.secret(NAMESPACE, "other-authority", &certificates);
    let other = json!({"certSecretRef": {"name": "other-authority"}});
    stage.repository(NAMESPACE, "other-authority", &image(&secure), &other);
    let nobody =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let nobody = nobody.expect("a port is free");
    stage.repository(
        NAMESPACE,
        "nobody",
        &format!("{nobody}/team/app"),
        &json!({}),
    );
    for name in ["untrusted", "other-authority", "nobody"] {
        stage.expect("scan-stale", subject(name));
    }
}

fn specs(stage: &mut Stage<'_>) {
    let lists = stage.plane.addresses.tag_lists.clone();
    let listed = |name: &str| format!("{lists}/situations/{NAMESPACE}/{name}");
    stage.plane.add_tag_lists(&json!({
        (format!("situations/{NAMESPACE}/twice")): ["1.0.0"],
        (format!("situations/{NAMESPACE}/shared")): ["1.0.0"],
    }));
    for (name, image, more) in [
        ("scheme", format!("http://{}", listed("twice")), json!({})),
        ("tagged", format!("{}:1.0.0", listed("twice")), json!({})),
        ("unreadable", "UPPER/case".to_owned(), json!({})),
        ("twice-a", listed("twice"), json!({})),
        ("twice-b", listed("twice"), json!({})),
        ("shared-a", listed("shared"), json!({})),
        (
            "shared-b",
            listed("shared"),
            json!({"exclusionList": ["rc"]}),
        ),
        (
            "bad-exclusion",
            listed("twice-no-more"),
            json!({"exclusionList": ["("]}),
        ),
    ] {
        stage.repository(NAMESPACE, name, &image, &more);
    }
    stage.plane.add_tag_lists(&json!({
        (format!("situations/{NAMESPACE}/twice-no-more")): ["1.0.0"],
    }));
    for name in ["scheme", "tagged", "unreadable"] {
        stage.expect("image-url-invalid", subject(name));
    }
    for name in ["twice-a", "twice-b"] {
        stage.expect("duplicate-repository", subject(name));
    }
    for name in ["shared-a", "shared-b"] {
        stage.expect("tags-shared", subject(name));
    }
    stage.expect("scan-stale", subject("bad-exclusion"));
    stage.listed(
        NAMESPACE,
        "suspended",
        &["1.0.0"],
        &json!({"suspend": true}),
    );
    stage.expect("suspended", subject("suspended"));
    // A host of its own, or those of the tag lists would count too.
    let busy = Fake::start(|_| Reply::ok(r#"{"tags": ["1.0.0"]}"#));
    let often = json!({"interval": "1s"});
    stage.repository(
        NAMESPACE,
        "busy",
        &format!("{}/team/app", busy.host()),
        &often,
    );
    stage.expect("scan-budget", subject("busy"));
    // No registry has that name; the digest is asked for over https whatever it answers.
    let insecure = json!({"insecure": true, "timeout": "2s"});
    stage.repository(
        NAMESPACE,
        "insecure",
        "registry.invalid/team/app",
        &insecure,
    );
    let digest =
        json!({"policy": {"semver": {"range": "*"}}, "digestReflectionPolicy": "IfNotPresent"});
    stage.policy(NAMESPACE, "insecure", "insecure", &digest);
    stage.expect("digest-ignores-insecure", subject("insecure"));
    stage.expect("policy-unused", format!("ImagePolicy {NAMESPACE}/insecure"));
    stage.listed(NAMESPACE, "moved-on", &["1.0.0"], &json!({}));
    stage.listed(NAMESPACE, "emptied", &["1.0.0"], &json!({}));
    let open = Arc::new(AtomicBool::new(true));
    let door = open.clone();
    let closing = Fake::start(move |asked| {
        let refused = asked.target != "/v2/" && !door.load(Ordering::SeqCst);
        if refused {
            Reply::new(
                403,
                r#"{"errors": [{"code": "DENIED", "message": "expired"}]}"#,
            )
        } else {
            Reply::ok(r#"{"tags": ["1.0.0"]}"#)
        }
    });
    stage.repository(
        NAMESPACE,
        "closed",
        &format!("{}/team/app", closing.host()),
        &json!({}),
    );
    stage.until("ImageRepository", NAMESPACE, "closed", |condition, _| {
        condition.ready
    });
    open.store(false, Ordering::SeqCst);
}

/// What happens after the first scans.
pub fn change(stage: &mut Stage<'_>) {
    stage.plane.add_tag_lists(&json!({
        (format!("situations/{NAMESPACE}/moved-on")): ["1.0.0", "1.1.0"],
        (format!("situations/{NAMESPACE}/emptied")): [],
    }));
    for name in ["moved-on", "emptied"] {
        stage.expect("tag-set-differs", subject(name));
    }
    stage.expect("registry-unauthorized", subject("closed"));
    stage.expect("ready-after-failed-scan", subject("closed"));
}
