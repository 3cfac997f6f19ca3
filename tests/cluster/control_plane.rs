//! Starting the control plane: one supervisor process holds everything, and lives as long as the pipe to it.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Instant;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ureq::Agent;

use super::api::{self, Api};
use super::clusters::{ADMINISTRATOR, Cluster, ClusterAddresses, USERS};
use super::definitions::{Served, delivery_definitions};
use super::forge::Forge;
use super::programs::go_programs;
use super::tell;

/// The running control plane.
pub struct ControlPlane {
    /// The API server that the controllers work with.
    pub cluster: Cluster,
    /// Its API, as the administrator.
    pub api: Api,
    /// Where everything is.
    pub addresses: Addresses,
    others: [OnceLock<Cluster>; 5],
    delivery: OnceLock<Option<Cluster>>,
    forge: OnceLock<Option<Forge>>,
    agent: Agent,
    /// The supervisor ends when its standard input closes, which the end of this process does, however it comes.
    _supervisor: Child,
}

/// The addresses that the supervisor tells besides those of the API server; all are HOST:PORT of plain http servers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Addresses {
    control: String,
    /// The OCI registry and its account.
    pub registry: Login,
    /// The git server and its account.
    pub git: Login,
    /// The folder of the bare repositories that the git server serves.
    pub git_folder: PathBuf,
    /// The server of made-up tag lists.
    pub tag_lists: String,
    /// The folder of the logs.
    pub logs: PathBuf,
}

/// The line that the supervisor prints once everything is up.
#[derive(Deserialize)]
struct Ready {
    cluster: ClusterAddresses,
    #[serde(flatten)]
    addresses: Addresses,
}

/// A server and an account there.
#[derive(Clone, Deserialize)]
pub struct Login {
    /// HOST:PORT.
    pub address: String,
    /// Its user.
    pub user: String,
    /// Its password.
    pub password: String,
}

/// One of the two image controllers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Controller {
    /// image-reflector-controller
    Reflector,
    /// image-automation-controller
    Automation,
}

/// Flags for many objects at a time.
const BULK_FLAGS: [&str; 3] = [
    "--concurrent=8",
    "--kube-api-qps=2000",
    "--kube-api-burst=4000",
];

/// The control plane of this test binary, started at the first call; `None` where Go isn't installed.
pub fn control_plane() -> Option<&'static ControlPlane> {
    static PLANE: OnceLock<Option<ControlPlane>> = OnceLock::new();
    PLANE.get_or_init(start).as_ref()
}

fn start() -> Option<ControlPlane> {
    let programs = go_programs(&[
        "controlplane",
        "etcd",
        "registry",
        "irc",
        "iac",
        "apiserver",
    ])?;
    let mut command = Command::new(&programs[0]);
    for (flag, program) in [
        "-etcd",
        "-registry",
        "-reflector",
        "-automation",
        "-apiserver",
    ]
    .iter()
    .zip(&programs[1..])
    {
        command.arg(flag).arg(program);
    }
    let mut supervisor = command
        .args(["-users", &USERS.join(",")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the supervisor can be started");
    let mut line = String::new();
    BufReader::new(supervisor.stdout.take().expect("its output is a pipe"))
        .read_line(&mut line)
        .expect("its output can be read");
    let ready: Ready =
        serde_json::from_str(&line).expect("the control plane starts; its errors are above");
    let cluster = Cluster::prepare(ready.cluster, Served::V1);
    let plane = ControlPlane {
        api: cluster.api.clone(),
        cluster,
        addresses: ready.addresses,
        others: Default::default(),
        delivery: OnceLock::new(),
        forge: OnceLock::new(),
        agent: api::agent(),
        _supervisor: supervisor,
    };
    plane.create_namespace("flux-system");
    plane.restart(Controller::Reflector, &[]);
    plane.restart(Controller::Automation, &[]);
    tell(&format!(
        "the control plane is up, logs in {}",
        plane.addresses.logs.display()
    ));
    Some(plane)
}

impl ControlPlane {
    /// Starts a controller with these flags besides the usual ones, ending it first if it runs; the reflector starts
    /// without tags, as a new pod does.
    pub fn restart(&self, controller: Controller, flags: &[&str]) {
        let mut all: Vec<&str> = BULK_FLAGS.to_vec();
        if controller == Controller::Reflector {
            all.push("--requeue-dependency=2s");
        }
        all.extend(flags);
        self.ask_supervisor::<Value>(
            &format!("{}/start", controller.name()),
            &json!({"flags": all}),
        );
    }

    /// An API server that serves these versions of the image objects, started at the first call.
    ///
    /// Only that of `Served::V1` has controllers.
    pub fn cluster_serving(&self, served: Served) -> &Cluster {
        if served == Served::V1 {
            return &self.cluster;
        }
        self.others[served as usize].get_or_init(|| {
            let started = Instant::now();
            let name = format!("{served:?}").to_lowercase();
            let addresses = self.ask_supervisor(&format!("clusters/{name}/start"), &json!({}));
            let cluster = Cluster::prepare(addresses, served);
            tell(&format!(
                "a cluster serving {served:?} is up after {:.1?}",
                started.elapsed()
            ));
            cluster
        })
    }

    /// A cluster in which source-controller and kustomize-controller fetch and apply, started at the first call; `None` where
    /// they can't be built.
    pub fn delivery(&self) -> Option<&Cluster> {
        self.delivery
            .get_or_init(|| {
                let programs = go_programs(&["source", "kustomize"])?;
                let started = Instant::now();
                let addresses: ClusterAddresses =
                    self.ask_supervisor("clusters/delivery/start", &json!({}));
                let cluster = Cluster::prepare(addresses, Served::V1);
                for definition in delivery_definitions() {
                    definition.install(&cluster.api);
                }
                for (name, program) in ["source", "kustomize"].iter().zip(programs) {
                    let flags = [&BULK_FLAGS[..], &["--requeue-dependency=2s"]].concat();
                    let question = json!({
                        "flags": flags, "program": program, "kubeconfig": cluster.kubeconfig(ADMINISTRATOR),
                    });
                    self.ask_supervisor::<Value>(&format!("{name}/start"), &question);
                }
                tell(&format!(
                    "a cluster with source- and kustomize-controller is up after {:.1?}",
                    started.elapsed()
                ));
                Some(cluster)
            })
            .as_ref()
    }

    /// The git forge, started at the first call; `None` where it can't be built.
    pub fn forge(&self) -> Option<&Forge> {
        self.forge.get_or_init(|| Forge::start(self)).as_ref()
    }

    /// Asks the supervisor for something and waits until it is there.
    pub fn ask_supervisor<T: DeserializeOwned>(&self, path: &str, question: &Value) -> T {
        let mut answer = self
            .agent
            .post(&format!("http://{}/{path}", self.addresses.control))
            .send_json(question)
            .expect("the supervisor answers");
        let text = answer
            .body_mut()
            .read_to_string()
            .expect("the supervisor answers in text");
        assert!(answer.status().is_success(), "{path}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Adds to the table of made-up tag lists: repository to tags, in the order in which they are listed.
    pub fn add_tag_lists(&self, lists: &Value) {
        let answer = self
            .agent
            .put(format!("http://{}/", self.addresses.tag_lists))
            .send_json(lists)
            .expect("the server of tag lists answers");
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// Creates a namespace with the Secret `git` for the git server; one that exists is no error.
    pub fn create_namespace(&self, name: &str) {
        self.cluster.create_namespace(name);
        let login = &self.addresses.git;
        self.api
            .apply(&json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": name, "name": "git"},
                "stringData": {"username": login.user, "password": login.password},
            }))
            .unwrap_or_else(|refusal| panic!("{refusal:?}"));
    }
}

impl Login {
    /// `user:password` in base64, as Basic authentication and Docker's config file want it.
    pub fn basic(&self) -> String {
        BASE64_STANDARD.encode(format!("{}:{}", self.user, self.password))
    }
}

impl Controller {
    fn name(self) -> &'static str {
        match self {
            Self::Reflector => "reflector",
            Self::Automation => "automation",
        }
    }
}
