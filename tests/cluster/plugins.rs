//! Installed as strangers install it: krew's steps with the real kubectl, a catalogue with the real flux, and completion through both.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::command_line::{Home, OURS, Ran, flux, kubectl, run};
use super::objects::settled_policy;
use super::{ControlPlane, control_plane};

/// An archive of the program, its checksums and the manifests that name it.
struct Release {
    folder: tempfile::TempDir,
}

impl Release {
    fn make() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let place = folder.path().display().to_string();
        let program = folder.path().join("program");
        // Symbols are most of a program for tests; without a strip it only takes longer.
        let stripped = Command::new("strip")
            .arg("-o")
            .arg(&program)
            .arg(OURS)
            .status();
        if !stripped.is_ok_and(|status| status.success()) {
            fs::copy(OURS, &program).expect("the folder is writable");
        }
        let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
        let version = env!("CARGO_PKG_VERSION");
        let program = program.display().to_string();
        python(
            "archive",
            &[
                "--version",
                version,
                "--target",
                &target,
                "--program",
                &program,
                "--license",
                "LICENSE",
                "--level",
                "1",
                "--out",
                &place,
            ],
        );
        python("checksums", &["--version", version, "--out", &place]);
        let sums = format!("{place}/flux-imageauto_{version}_checksums.txt");
        python("manifests", &["--checksums", &sums, "--out", &place]);
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn yaml(&self, name: &str) -> Value {
        let text = fs::read_to_string(self.path().join(name)).expect("it was written");
        serde_saphyr::from_str(&text).expect("it is YAML")
    }
}

fn python(script: &str, arguments: &[&str]) {
    let ran = run(Command::new("python3")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("SOURCE_DATE_EPOCH", "1780387200")
        .arg(format!("scripts/packaging/{script}.py"))
        .args(arguments));
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

/// Serves a folder's files on loopback until the process ends; gives the address.
fn serve(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1)
            {
                head.extend(byte);
            }
            let head = String::from_utf8_lossy(&head);
            let name = head.split_whitespace().nth(1).unwrap_or_default();
            let content = fs::read(folder.join(name.trim_start_matches('/')));
            let status = if content.is_ok() {
                "200 OK"
            } else {
                "404 Not Found"
            };
            let content = content.unwrap_or_default();
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                content.len()
            );
            // Whoever went away doesn't want it.
            let _ = stream
                .write_all(answer.as_bytes())
                .and_then(|()| stream.write_all(&content));
        }
    });
    address
}

fn candidates(ran: &Ran) -> Vec<&str> {
    let lines = ran.stdout.lines().filter(|line| !line.starts_with(':'));
    lines
        .map(|line| line.split('\t').next().unwrap_or_default())
        .collect()
}

/// A namespace with one policy, whose name completions must know.
fn with_a_policy(plane: &ControlPlane, namespace: &str) {
    plane.create_namespace(namespace);
    let mut policy = settled_policy(
        namespace,
        "completed",
        "registry.example.com/x",
        "1.2.3",
        "",
    );
    let members = policy.as_object_mut().expect("it is an object");
    members.remove("status");
    plane
        .api
        .apply(&policy)
        .unwrap_or_else(|refusal| panic!("{refusal:?}"));
}

#[test]
fn krew_would_install_it_and_kubectl_completes_it() {
    let Some(plane) = control_plane() else { return };
    let Some(kubectl) = kubectl() else { return };
    let release = Release::make();
    let manifest = release.yaml("krew-manifest.yaml");
    let platform = &manifest["spec"]["platforms"][0];
    let file = platform["uri"]
        .as_str()
        .and_then(|uri| uri.rsplit('/').next());
    let archive = release
        .path()
        .join(file.expect("the platform has an archive"));
    let sum = run(Command::new("sha256sum").arg(&archive));
    assert!(
        sum.stdout
            .starts_with(platform["sha256"].as_str().unwrap_or("none")),
        "{sum:?}"
    );
    // Krew unpacks to a store of its own and links from the one folder that is on PATH.
    let home = Home::new();
    let store = home.path().join("store/imageauto");
    fs::create_dir_all(&store).expect("the home is writable");
    let unpacked = run(Command::new("tar")
        .arg("-xzf")
        .arg(&archive)
        .arg("-C")
        .arg(&store));
    assert_eq!(unpacked.code, Some(0), "{unpacked:?}");
    assert!(store.join("LICENSE").is_file());
    let link = home.path().join("bin/kubectl-imageauto");
    fs::remove_file(&link).expect("the home has it");
    symlink(
        store.join(platform["bin"].as_str().unwrap_or_default()),
        &link,
    )
    .expect("the name is free");
    let call = |arguments: &[&str]| {
        run(home
            .command(&kubectl, &plane.cluster, "reader")
            .args(arguments))
    };
    let version = call(&["imageauto", "version"]);
    assert!(
        version.stdout.starts_with("kubectl-imageauto v"),
        "{version:?}"
    );
    let plugins = call(&["plugin", "list"]);
    assert!(
        plugins.stdout.contains(&link.display().to_string()),
        "{plugins:?}"
    );
    let help = call(&["imageauto", "--help"]);
    assert!(
        help.stdout.contains("Usage: kubectl imageauto "),
        "{help:?}"
    );

    with_a_policy(plane, "kubectl-completes");
    let installed = call(&["imageauto", "completion", "install"]);
    assert_eq!(installed.code, Some(0), "{installed:?}");
    let commands = call(&["__complete", "imageauto", "recon"]);
    assert_eq!(candidates(&commands), ["reconcile"], "{commands:?}");
    let names = call(&[
        "__complete",
        "imageauto",
        "get",
        "-n",
        "kubectl-completes",
        "policy",
        "",
    ]);
    assert_eq!(candidates(&names), ["completed"], "{names:?}");
    let spaces = call(&["__complete", "imageauto", "get", "-n", "kubectl-com"]);
    assert_eq!(candidates(&spaces), ["kubectl-completes"], "{spaces:?}");
    let removed = call(&["imageauto", "completion", "uninstall"]);
    assert_eq!(removed.code, Some(0), "{removed:?}");
    let left: Vec<_> = fs::read_dir(home.path().join("bin"))
        .expect("it is there")
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn flux_installs_it_from_a_catalogue_completes_it_and_removes_it() {
    let Some(plane) = control_plane() else { return };
    let Some(flux) = flux() else { return };
    let release = Release::make();
    let address = serve(release.path().to_owned());
    let text = fs::read_to_string(release.path().join("packaging/flux/imageauto.yaml"))
        .expect("it was written");
    let version = env!("CARGO_PKG_VERSION");
    let released = format!(
        "{}/releases/download/v{version}",
        env!("CARGO_PKG_REPOSITORY")
    );
    let here = text.replace(&released, &format!("http://{address}"));
    fs::write(release.path().join("imageauto.yaml"), here).expect("the folder is writable");
    let item = release.yaml("packaging/flux/catalog-item.yaml");
    let catalogue = serde_json::json!({"apiVersion": "cli.fluxcd.io/v1beta1", "kind": "PluginCatalog", "plugins": [item]});
    fs::write(release.path().join("catalog.yaml"), catalogue.to_string())
        .expect("the folder is writable");

    let home = Home::new();
    let plugins = home.path().join("plugins");
    fs::remove_file(plugins.join("flux-imageauto")).expect("the home has it");
    let call = |arguments: &[&str]| {
        run(home
            .command(&flux, &plane.cluster, "reader")
            .env("FLUXCD_PLUGIN_CATALOG", format!("http://{address}/"))
            .args(arguments))
    };
    let found = call(&["plugin", "search"]);
    assert!(found.stdout.contains("imageauto"), "{found:?}");
    let installed = call(&["plugin", "install", "imageauto"]);
    assert_eq!(installed.code, Some(0), "{installed:?}");
    let listed = call(&["plugin", "list"]);
    assert!(listed.stdout.contains(version), "{listed:?}");
    let help = call(&["imageauto", "diff", "--help"]);
    assert!(
        help.stdout.contains("Usage: flux imageauto diff"),
        "{help:?}"
    );

    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let copied = run(Command::new("cp").arg("-R").arg(&examples).arg(home.path()));
    assert_eq!(copied.code, Some(0), "{copied:?}");
    for arguments in [
        &["init", "-q"][..],
        &["add", "examples"],
        &[
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.com",
            "commit",
            "-qm",
            "First",
        ],
    ] {
        let ran = run(Command::new("git").current_dir(home.path()).args(arguments));
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    let words = [
        "diff",
        "-f",
        "examples/flux-system",
        "--tags-from",
        "examples/tags.json",
        "--worktree",
        ".",
        "-o",
        "name",
    ];
    let diff = call(&[&["imageauto"], &words[..]].concat());
    assert_eq!(diff.code, Some(1), "{diff:?}");
    assert_eq!(
        diff.stdout,
        "examples/clusters/prod/checkout.yaml\nexamples/clusters/prod/worker.yaml\n"
    );

    with_a_policy(plane, "flux-completes");
    let commands = call(&["__complete", "imageauto", "recon"]);
    assert_eq!(candidates(&commands), ["reconcile"], "{commands:?}");
    let names = call(&[
        "__complete",
        "imageauto",
        "get",
        "-n",
        "flux-completes",
        "policy",
        "",
    ]);
    assert_eq!(candidates(&names), ["completed"], "{names:?}");
    // flux hands on what stands before the plugin's name.
    let before = call(&[
        "-n",
        "flux-completes",
        "imageauto",
        "get",
        "policies",
        "-o",
        "name",
    ]);
    assert_eq!(
        before.stdout, "imagepolicy.image.toolkit.fluxcd.io/completed\n",
        "{before:?}"
    );

    let removed = call(&["plugin", "uninstall", "imageauto"]);
    assert_eq!(removed.code, Some(0), "{removed:?}");
    let left: Vec<_> = fs::read_dir(&plugins).expect("it is there").collect();
    assert!(left.is_empty(), "{left:?}");
}
