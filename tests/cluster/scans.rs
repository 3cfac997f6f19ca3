//! Scans: what our client meets at registries and in Secrets, and what the running reflector says of the same.

mod cases;
#[path = "../registry_wire/fake.rs"]
pub mod fake;
mod secrets;
mod servers;

use std::collections::BTreeMap;
use std::time::Duration;

use imageauto::controllers::flux::{ImageRepository, ObjectKey};
use imageauto::controllers::registry_access::{self, Access, Failure};
use imageauto::controllers::repository::{revision, stored_tags};
use imageauto::facts::cluster::{Secret, Seen, ServiceAccount};
use imageauto::go::base64;
use imageauto::go::reference::Reference;
use imageauto::io::observer::Observer;
use imageauto::io::registry::{Registries, RegistrySettings, ScanLimits};
use serde_json::{Value, json};

use self::cases::{Case, answers, connections, logins};
use self::fake::{Fake, Reply};
use self::servers::{Servers, image};
use super::api::wait_for;
use super::objects::{Condition, image_collection, verdict};
use super::registry::push_tags;
use super::{ControlPlane, control_plane, tell};

const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

#[test]
fn the_reflectors_scans_end_as_ours_do() {
    let Some(plane) = control_plane() else { return };
    let cluster = Cluster::new(plane, "scans");
    push_tags(plane, "team/app", ["1.0.0", "1.1.0", "latest", "1.0.0.sig"]);
    let servers = Servers::start();
    secrets::create(&cluster, &servers);
    let mut cases = logins(plane);
    cases.extend(answers(&servers));
    cases.extend(connections(&servers));
    let differences = cluster.compare(&cases);
    assert!(
        differences.is_empty(),
        "{} of {} scans differ:\n{}",
        differences.len(),
        cases.len(),
        differences.join("\n")
    );
    // Where lists and redirects led from other hosts nobody came with a login, neither the reflector nor we.
    assert!(servers.open.lines().contains(&"GET /x".to_owned()));
    for asked in servers.open.asked() {
        assert_eq!(asked.authorization(), None, "{}", asked.target);
    }
}

#[test]
fn the_reflectors_digests_are_ours() {
    let Some(plane) = control_plane() else { return };
    let cluster = Cluster::new(plane, "digests");
    push_tags(plane, "team/digests", ["1.0.0", "1.1.0"]);
    let servers = Servers::start();
    secrets::create(&cluster, &servers);
    let real = format!("{}/team/digests", plane.addresses.registry.address);
    let by_head = |name: &'static str, reply: Reply| {
        let fake = Fake::start(move |asked| match asked.method.as_str() {
            "HEAD" => reply.clone(),
            _ => Reply::ok(r#"{"tags": ["1.0.0"]}"#),
        });
        (name, fake)
    };
    let good = || {
        Reply::ok("")
            .header("Content-Type", "application/json")
            .header("Content-Length", "100")
    };
    let with_digest = |digest: &str| good().header("Docker-Content-Digest", digest);
    let fakes = [
        by_head("found", with_digest(DIGEST)),
        by_head("odd-digest", with_digest("sha1:00")),
        by_head("without-digest", good()),
        by_head("without-type", Reply::ok("")),
        by_head("missing", Reply::new(404, "")),
        by_head("refused", Reply::new(401, "")),
        by_head("unavailable", Reply::new(503, "")),
    ];
    let mut cases = vec![Case::new(
        "real",
        real,
        json!({"secretRef": {"name": "right"}}),
    )];
    cases.extend(
        fakes
            .iter()
            .map(|(name, fake)| Case::new(name, image(fake), json!({}))),
    );
    for case in &cases {
        cluster.create(&case.object(cluster.namespace));
    }
    for case in &cases {
        // A policy that once had no tags keeps saying so when it fails for a digest later.
        assert!(cluster.verdict("imagerepositories", &case.name).ready);
        cluster.create(&json!({
            "apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImagePolicy",
            "metadata": {"namespace": cluster.namespace, "name": case.name},
            "spec": {
                "imageRepositoryRef": {"name": case.name},
                "policy": {"semver": {"range": "*"}},
                "digestReflectionPolicy": "IfNotPresent",
            },
        }));
    }
    let (secrets, accounts) = cluster.seen();
    for case in &cases {
        let tag = if case.name == "real" {
            "1.1.0"
        } else {
            "1.0.0"
        };
        let repository = repository(&case.object(cluster.namespace));
        let theirs = cluster.verdict("imagepolicies", &case.name);
        let ours = digest(&repository, tag, &secrets, &accounts);
        assert_eq!(theirs, ours, "{}", case.name);
        tell(&format!("{}: {}", case.name, theirs.message));
    }
}

struct Cluster<'p> {
    plane: &'p ControlPlane,
    namespace: &'static str,
}

type Secrets = BTreeMap<String, Secret>;
type Accounts = BTreeMap<String, ServiceAccount>;

impl<'p> Cluster<'p> {
    fn new(plane: &'p ControlPlane, namespace: &'static str) -> Self {
        plane.create_namespace(namespace);
        Self { plane, namespace }
    }

    fn create(&self, object: &Value) {
        let mut object = object.clone();
        object["metadata"]["namespace"] = json!(self.namespace);
        self.plane
            .api
            .apply(&object)
            .unwrap_or_else(|refusal| panic!("{object}: {refusal:?}"));
    }

    /// The namespace's Secrets and ServiceAccounts as a client reads them.
    fn seen(&self) -> (Secrets, Accounts) {
        let list = |plural: &str| {
            let collection = format!("/api/v1/namespaces/{}/{plural}", self.namespace);
            self.plane.api.list(&collection)
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let secret = |object: &Value| {
            let data = object["data"].as_object().into_iter().flatten();
            let data = data.map(|(key, value)| {
                let bytes = base64::decode(text(value).as_bytes(), true);
                (key.clone(), bytes.expect("the API server writes base 64"))
            });
            Secret::Readable {
                kind: text(&object["type"]),
                data: data.collect(),
            }
        };
        let account = |object: &Value| {
            let names = object["imagePullSecrets"].as_array().into_iter().flatten();
            ServiceAccount {
                image_pull_secrets: names.map(|secret| text(&secret["name"])).collect(),
            }
        };
        let name = |object: &Value| text(&object["metadata"]["name"]);
        (
            list("secrets")
                .iter()
                .map(|object| (name(object), secret(object)))
                .collect(),
            list("serviceaccounts")
                .iter()
                .map(|object| (name(object), account(object)))
                .collect(),
        )
    }

    /// What the reflector says of an object in the end.
    fn verdict(&self, plural: &str, name: &str) -> Condition {
        let path = format!("{}/{name}", image_collection(self.namespace, plural));
        wait_for(&path, Duration::from_secs(90), || {
            verdict(&self.plane.api.get(&path).ok()?)
        })
    }

    /// Scans by both; a text for each case that ends differently.
    fn compare(&self, cases: &[Case]) -> Vec<String> {
        for case in cases {
            self.create(&case.object(self.namespace));
        }
        let (secrets, accounts) = self.seen();
        let registries = client();
        let ours: Vec<Condition> = run(futures_util::future::join_all(cases.iter().map(|case| {
            scan(
                &registries,
                case.object(self.namespace),
                &secrets,
                &accounts,
            )
        })));
        let mut differences = Vec::new();
        for (case, ours) in cases.iter().zip(ours) {
            let theirs = self.verdict("imagerepositories", &case.name);
            let known = |condition: &Condition| {
                let mut condition = condition.clone();
                let end = case
                    .known_up_to
                    .and_then(|text| condition.message.find(text));
                condition
                    .message
                    .truncate(end.unwrap_or(condition.message.len()));
                condition
            };
            if known(&theirs) != known(&ours) {
                differences.push(format!(
                    "{}\n  theirs: {theirs:?}\n  ours:   {ours:?}",
                    case.name
                ));
            } else {
                tell(&format!("{}: {}", case.name, theirs.message));
            }
        }
        differences
    }
}

fn client() -> Registries {
    Registries::new(RegistrySettings::default(), Observer::nobody())
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made")
        .block_on(future)
}

fn repository(object: &Value) -> ImageRepository {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    ImageRepository {
        api_version: text(&object["apiVersion"]),
        key: ObjectKey::new(
            text(&object["metadata"]["namespace"]),
            text(&object["metadata"]["name"]),
        ),
        spec: serde_json::from_value(object["spec"].clone()).expect("it is a repository"),
        ..ImageRepository::default()
    }
}

fn access(
    repository: &ImageRepository,
    secrets: &Secrets,
    accounts: &Accounts,
) -> Result<Access, Failure> {
    let image = Reference::parse(&repository.spec.image)
        .expect("it is an image")
        .repository;
    registry_access::access(
        repository,
        &image,
        |key| {
            secrets
                .get(&key.name)
                .cloned()
                .map_or(Seen::Missing, Seen::Found)
        },
        |key| {
            accounts
                .get(&key.name)
                .cloned()
                .map_or(Seen::Missing, Seen::Found)
        },
    )
}

/// The Ready condition that we predict.
async fn scan(
    registries: &Registries,
    object: Value,
    secrets: &Secrets,
    accounts: &Accounts,
) -> Condition {
    match scanned(registries, &repository(&object), secrets, accounts).await {
        Ok(message) => Condition {
            ready: true,
            stalled: false,
            reason: "Succeeded".into(),
            message,
        },
        Err(failure) => Condition {
            ready: false,
            stalled: false,
            reason: failure.reason.into(),
            message: failure.message,
        },
    }
}

async fn scanned(
    registries: &Registries,
    repository: &ImageRepository,
    secrets: &Secrets,
    accounts: &Accounts,
) -> Result<String, Failure> {
    let access = access(repository, secrets, accounts)?;
    let image = Reference::parse(&repository.spec.image)
        .expect("it is an image")
        .repository;
    let timeout = match repository.spec.timeout.as_deref() {
        Some("1s") => Duration::from_secs(1),
        _ => Duration::from_secs(20),
    };
    let listing = registries
        .tags(&image, &access.access, ScanLimits::within(timeout))
        .await
        .map_err(|error| Failure::scan(error.controller_text().unwrap_or("(a bound of ours)")))?;
    let exclusion = repository.spec.exclusion_list.clone().unwrap_or_default();
    let stored = stored_tags(&listing.tags, &exclusion).map_err(Failure::scan)?;
    Ok(format!(
        "successful scan: found {} tags with checksum {}",
        stored.len(),
        revision(&stored)
    ))
}

/// The Ready condition of a policy that chose `tag`, as we predict it.
fn digest(
    repository: &ImageRepository,
    tag: &str,
    secrets: &Secrets,
    accounts: &Accounts,
) -> Condition {
    let name = &repository.spec.image;
    let access = access(repository, secrets, accounts).expect("its Secrets are fine");
    let image = Reference::parse(name).expect("it is an image").repository;
    let timeout = Duration::from_secs(20);
    let found = run(client().digest(&image, tag, &access.access, ScanLimits::within(timeout)));
    let (reason, message) = match &found {
        Ok(digest) => (
            "Succeeded",
            format!("Latest image tag for {name} resolved to {tag} with digest {digest}"),
        ),
        Err(error) => (
            "Failed",
            format!(
                "failed fetching digest of {name}:{tag}: failed fetching descriptor for \"{name}:{tag}\": {}",
                error.controller_text().unwrap_or("(a bound of ours)")
            ),
        ),
    };
    Condition {
        ready: found.is_ok(),
        stalled: false,
        reason: reason.into(),
        message,
    }
}
