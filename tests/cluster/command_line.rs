//! Programs as a user runs them against a cluster: ours, and it as a plugin of kubectl and flux.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use super::clusters::{ADMINISTRATOR, Cluster};
use super::definitions::Served;
use super::objects::settled_policy;
use super::programs::go_program;
use super::{ControlPlane, control_plane};

/// Our program.
pub const OURS: &str = match option_env!("IMAGEAUTO_PROGRAM") {
    Some(program) => program,
    None => env!("CARGO_BIN_EXE_kubectl-imageauto"),
};

/// A user's home folder, where our program is a plugin of kubectl and of flux.
pub struct Home {
    folder: tempfile::TempDir,
}

/// What a program did.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code, `None` where a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said besides.
    pub stderr: String,
}

impl Home {
    /// Makes an empty home.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        for (place, name) in [("bin", "kubectl-imageauto"), ("plugins", "flux-imageauto")] {
            let place = folder.path().join(place);
            fs::create_dir(&place).expect("the folder is new");
            std::os::unix::fs::symlink(OURS, place.join(name)).expect("the folder is new");
        }
        Self { folder }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Gives the home's owner logins of their own: for the registry by Docker's config file, for the git server by git's
    /// configuration.
    pub fn log_in(&self, plane: &ControlPlane) {
        let registry = &plane.addresses.registry;
        let docker = json!({"auths": {(&registry.address): {"auth": registry.basic()}}});
        let folder = self.folder.path().join(".docker");
        fs::create_dir(&folder).expect("the folder is new");
        fs::write(folder.join("config.json"), docker.to_string()).expect("it can be written");
        let git = &plane.addresses.git;
        let settings = format!(
            "[credential \"http://{}\"]\n\thelper = \"!f() {{ echo username={}; echo password={}; }}; f\"\n",
            git.address, git.user, git.password
        );
        fs::write(self.folder.path().join(".gitconfig"), settings).expect("it can be written");
    }

    /// A program in this home, with a user's kubeconfig and nothing else of the environment.
    pub fn command(&self, program: impl AsRef<OsStr>, cluster: &Cluster, user: &str) -> Command {
        let ours = self.folder.path().join("bin");
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths(std::iter::once(ours).chain(env::split_paths(&path)));
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", path.expect("PATH was one before"))
            .env("HOME", self.folder.path())
            .env("KUBECONFIG", cluster.kubeconfig(user))
            .env("FLUXCD_PLUGINS", self.folder.path().join("plugins"))
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }
}

/// Runs a program to its end.
pub fn run(command: &mut Command) -> Ran {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// flux, built first where that is needed; `None` where Go isn't installed.
pub fn flux() -> Option<PathBuf> {
    go_program("flux")
}

/// The user's kubectl, or one that is built where there is none; `None` where Go isn't installed.
pub fn kubectl() -> Option<PathBuf> {
    let installed = Command::new("kubectl")
        .args(["version", "--client"])
        .stdin(Stdio::null())
        .output()
        .is_ok_and(|output| output.status.success());
    if installed {
        return Some(PathBuf::from("kubectl"));
    }
    go_program("kubectl")
}

#[test]
fn the_program_is_a_plugin_of_kubectl_and_flux() {
    let Some(plane) = control_plane() else { return };
    let (Some(kubectl), Some(flux)) = (kubectl(), flux()) else {
        return;
    };
    let home = Home::new();
    let itself = run(home.command(OURS, &plane.cluster, "reader").arg("version"));
    assert_eq!(itself.code, Some(0), "{itself:?}");
    for program in [kubectl, flux] {
        let called = run(home
            .command(&program, &plane.cluster, "reader")
            .args(["imageauto", "version"]));
        assert_eq!(called.code, Some(0), "{called:?}");
        assert_eq!(called.stdout, itself.stdout);
        let help = run(home
            .command(&program, &plane.cluster, "reader")
            .args(["imageauto", "--help"]));
        let file = program.file_name().unwrap_or_default().to_string_lossy();
        let name = file.split('-').next().unwrap_or_default();
        let usage = format!("Usage: {name} imageauto ");
        assert!(help.stdout.contains(&usage), "{help:?}");
    }
}

#[test]
fn flux_and_kubectl_see_the_objects_of_the_control_plane() {
    let Some(plane) = control_plane() else { return };
    let (Some(kubectl), Some(flux)) = (kubectl(), flux()) else {
        return;
    };
    plane.cluster.create_namespace("command-line");
    let mut policy = settled_policy(
        "command-line",
        "seen",
        "registry.example.com/seen",
        "1.2.3",
        "",
    );
    let status = policy.clone();
    policy
        .as_object_mut()
        .expect("it is an object")
        .remove("status");
    plane
        .api
        .apply(&policy)
        .unwrap_or_else(|refusal| panic!("{refusal:?}"));
    plane
        .api
        .write_status(&status)
        .unwrap_or_else(|refusal| panic!("{refusal:?}"));
    let home = Home::new();
    let table = run(home.command(&flux, &plane.cluster, ADMINISTRATOR).args([
        "get",
        "images",
        "all",
        "-n",
        "command-line",
    ]));
    assert_eq!(table.code, Some(0), "{table:?}");
    let line: Vec<&str> = table
        .stdout
        .lines()
        .find(|line| line.contains("imagepolicy/seen"))
        .unwrap_or_else(|| panic!("{table:?}"))
        .split_whitespace()
        .collect();
    assert!(line.contains(&"1.2.3"), "{line:?}");
    for (user, code) in [("reader", 0), ("nobody", 1)] {
        let names = run(home.command(&kubectl, &plane.cluster, user).args([
            "get",
            "imagepolicies",
            "-n",
            "command-line",
            "-o",
            "name",
        ]));
        assert_eq!(names.code, Some(code), "{names:?}");
        let found = names.stdout.trim() == "imagepolicy.image.toolkit.fluxcd.io/seen";
        assert_eq!(found, code == 0, "{names:?}");
        let forbidden = r#"User "nobody" cannot list resource "imagepolicies""#;
        assert_eq!(names.stderr.contains(forbidden), code == 1, "{names:?}");
    }
}

#[test]
fn a_kubeconfig_may_be_made_of_what_is_known_of_a_cluster() {
    let Some(plane) = control_plane() else { return };
    let Some(kubectl) = kubectl() else { return };
    let home = Home::new();
    let cluster = &plane.cluster;
    let ask = |authority: &Path, token: &str| {
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "own",
            "clusters": [{"name": "own", "cluster": {"server": cluster.server, "certificate-authority": authority}}],
            "users": [{"name": "own", "user": {"token": token}}],
            "contexts": [{"name": "own", "context": {"cluster": "own", "user": "own"}}],
        });
        let path = home.folder.path().join("kubeconfig");
        fs::write(&path, kubeconfig.to_string()).expect("it can be written");
        run(home
            .command(&kubectl, cluster, ADMINISTRATOR)
            .env("KUBECONFIG", path)
            .args(["get", "namespaces", "-o", "name"]))
    };
    let known = ask(&cluster.authority, cluster.token("reader"));
    assert!(known.stdout.contains("namespace/flux-system"), "{known:?}");
    let unknown = ask(&cluster.authority, "made-up");
    assert!(unknown.stderr.contains("Unauthorized"), "{unknown:?}");
    let elsewhere = plane.cluster_serving(Served::V1beta2);
    let other = ask(&elsewhere.authority, cluster.token("reader"));
    assert!(other.stderr.contains("certificate"), "{other:?}");
}
