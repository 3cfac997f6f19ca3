//! The user's own git set-up: obeyed where it is to be used, without a question; of no effect where the object's login is known.
//!
//! What git finds in a home folder hangs on the environment, so each case is a child process: this test binary again.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use imageauto::facts::git::GitLogin;
use imageauto::io::observer::Observer;

use super::repository::Repository;
use super::server::Server;
use super::{basic, with_login};

const URL: &str = "IMAGEAUTO_TEST_URL";
const LOGIN: &str = "IMAGEAUTO_TEST_LOGIN";

/// The child's part; without the variables there is nothing to do.
#[test]
fn child() {
    let (Ok(url), Ok(login)) = (std::env::var(URL), std::env::var(LOGIN)) else {
        return;
    };
    let login = if login == "own" {
        GitLogin::UserOwn
    } else {
        basic("bot", "correct horse")
    };
    let said = match imageauto::io::git::clone(&with_login(&url, login), &Observer::nobody()) {
        Ok(clone) => format!("cloned {}", clone.head_commit),
        Err(error) => format!("{:?} {error}", error.kind),
    };
    writeln!(std::io::stdout(), "{said}").unwrap();
}

/// Clones in a child whose home has this `.gitconfig`, and gives what it says.
fn child_with(home: &Path, config: &str, url: &str, login: &str) -> String {
    std::fs::write(home.join(".gitconfig"), config).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["user::child", "--exact", "--nocapture"])
        .env("HOME", home)
        .env_remove("XDG_CONFIG_HOME")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env(URL, url)
        .env(LOGIN, login)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = |line: &&str| {
        !line.is_empty() && !line.starts_with("test ") && !line.starts_with("running")
    };
    text.lines().find(said).unwrap_or_default().to_owned()
}

struct Case {
    folder: tempfile::TempDir,
    server: Server,
    cloned: String,
}

fn case() -> Case {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::standard(folder.path(), "r.git");
    Case {
        server: Server::start(folder.path(), None),
        cloned: format!("cloned {}", repository.id("main")),
        folder,
    }
}

#[test]
fn the_users_helper_logs_in() {
    let case = case();
    let url = case.server.url("r.git");
    let helper = "!f() { echo username=bot; echo 'password=correct horse'; }; f";
    let config = format!("[credential]\n\thelper = \"{helper}\"\n");
    assert_eq!(
        child_with(case.folder.path(), &config, &url, "own"),
        case.cloned
    );
}

#[test]
fn the_users_addresses_are_followed() {
    let case = case();
    let config = format!(
        "[url \"{}\"]\n\tinsteadOf = https://git.example.com/\n",
        case.server.url("open/")
    );
    let url = "https://git.example.com/r.git";
    assert_eq!(
        child_with(case.folder.path(), &config, url, "own"),
        case.cloned
    );
}

#[test]
fn nothing_is_asked() {
    let case = case();
    let said = child_with(case.folder.path(), "", &case.server.url("r.git"), "own");
    assert!(said.starts_with("Refused"), "{said}");
}

/// A stand-in for ssh that notes its arguments and runs the command here.
#[cfg(unix)]
#[test]
fn the_users_ssh_is_used_and_told_to_ask_nothing() {
    use std::os::unix::fs::PermissionsExt as _;
    let case = case();
    let ssh = case.folder.path().join("ssh");
    let script =
        "#!/bin/sh\necho \"$@\" > \"$0.arguments\"\nfor last; do :; done\neval \"$last\"\n";
    std::fs::write(&ssh, script).unwrap();
    std::fs::set_permissions(&ssh, std::fs::Permissions::from_mode(0o755)).unwrap();
    let config = format!("[core]\n\tsshCommand = {} -i mine\n", ssh.display());
    let url = format!(
        "ssh://git@git.example.com{}/r.git",
        case.folder.path().display()
    );
    assert_eq!(
        child_with(case.folder.path(), &config, &url, "own"),
        case.cloned
    );
    let arguments = std::fs::read_to_string(ssh.with_extension("arguments")).unwrap();
    assert!(
        arguments.contains("-i mine -o BatchMode=yes") && arguments.contains("git@git.example.com"),
        "{arguments}"
    );
}

#[test]
fn the_objects_login_is_alone() {
    let case = case();
    let marker = case.folder.path().join("ran");
    let touch = format!("!touch {}", marker.display());
    let config = format!(
        "[url \"http://127.0.0.1:9/\"]\n\tinsteadOf = http://\n\
         [http]\n\textraHeader = \"Authorization: Basic d3Jvbmc=\"\n\tproxy = http://127.0.0.1:9\n\
         [credential]\n\thelper = \"{touch}\"\n[core]\n\thooksPath = {}\n\tfsmonitor = {touch}\n",
        case.folder.path().display()
    );
    let hook = case.folder.path().join("reference-transaction");
    std::fs::write(&hook, format!("#!/bin/sh\ntouch {}\n", marker.display())).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let netrc = "machine 127.0.0.1 login someone password else\n";
    std::fs::write(case.folder.path().join(".netrc"), netrc).unwrap();
    let url = case.server.url("r.git");
    assert_eq!(
        child_with(case.folder.path(), &config, &url, "object's"),
        case.cloned
    );
    let open = case.server.url("open/r.git");
    let hooks = format!("[core]\n\thooksPath = {}\n", case.folder.path().display());
    assert_eq!(
        child_with(case.folder.path(), &hooks, &open, "own"),
        case.cloned
    );
    assert!(!marker.exists(), "neither a helper nor a hook was run");
}
