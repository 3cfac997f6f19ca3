//! Starting the control plane: one supervisor process holds everything, and lives as long as the pipe to it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use ureq::Agent;

use super::api::{self, Api, wait_for};
use super::programs::{go_programs, module_folder, module_folder_at};
use super::tell;

/// The running control plane.
pub struct ControlPlane {
    /// The Kubernetes API.
    pub api: Api,
    /// Where everything is.
    pub addresses: Addresses,
    agent: Agent,
    /// The supervisor ends when its standard input closes, which the end of this process does, however it comes.
    _supervisor: Child,
}

/// The addresses that the supervisor tells; all are HOST:PORT of plain http servers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Addresses {
    api: String,
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

/// A server with one account.
#[derive(Deserialize)]
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
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the supervisor can be started");
    let mut line = String::new();
    BufReader::new(supervisor.stdout.take().expect("its output is a pipe"))
        .read_line(&mut line)
        .expect("its output can be read");
    let addresses: Addresses =
        serde_json::from_str(&line).expect("the control plane starts; its errors are above");
    let plane = ControlPlane {
        api: Api::new(&addresses.api),
        addresses,
        agent: api::agent(),
        _supervisor: supervisor,
    };
    plane.install_definitions();
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
        let url = format!(
            "http://{}/{}/start",
            self.addresses.control,
            controller.name()
        );
        let mut answer = self
            .agent
            .post(&url)
            .send_json(json!({"flags": all}))
            .expect("the supervisor answers");
        let text = answer
            .body_mut()
            .read_to_string()
            .expect("the supervisor answers in text");
        assert!(
            answer.status().is_success(),
            "{}: {text}",
            controller.name()
        );
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
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        let login = &self.addresses.git;
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": name, "name": "git"},
            "stringData": {"username": login.user, "password": login.password},
        });
        for object in [namespace, secret] {
            self.api
                .apply(&object)
                .unwrap_or_else(|refusal| panic!("{refusal:?}"));
        }
    }

    /// Installs the custom resource definitions of the controllers' own modules, and that of GitRepository.
    fn install_definitions(&self) {
        let reflector = module_folder("irc", "github.com/fluxcd/image-reflector-controller");
        let automation = module_folder("iac", "github.com/fluxcd/image-automation-controller");
        // The automation controller needs only the definition; source-controller itself doesn't run.
        let source = module_folder_at(
            "github.com/fluxcd/source-controller",
            "v1.9.3",
            "h1:Zj1gfvK/2MFIm/K3vh5fSHoJBoggLKMuLWf5ZEmaF0w=",
        );
        let wanted = [
            (&reflector, "image.toolkit.fluxcd.io", "imagerepositories"),
            (&reflector, "image.toolkit.fluxcd.io", "imagepolicies"),
            (
                &automation,
                "image.toolkit.fluxcd.io",
                "imageupdateautomations",
            ),
            (&source, "source.toolkit.fluxcd.io", "gitrepositories"),
        ];
        for (folder, group, plural) in wanted {
            self.install_definition(folder, group, plural);
        }
    }

    fn install_definition(&self, module: &Path, group: &str, plural: &str) {
        let file = module
            .join("config/crd/bases")
            .join(format!("{group}_{plural}.yaml"));
        let text =
            fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let path =
            format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.{group}");
        self.api
            .apply_text(&path, &text)
            .unwrap_or_else(|refusal| panic!("{plural}: {refusal:?}"));
        wait_for(
            &format!("{plural} to be served"),
            Duration::from_secs(60),
            || self.api.get(&format!("/apis/{group}/v1/{plural}")).ok(),
        );
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
