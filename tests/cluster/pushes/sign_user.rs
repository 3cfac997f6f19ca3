//! `reconcile --sign user`: by the configuration of the user's own git, with the programs gpg and ssh-keygen.

use serde_json::json;

use super::{Run, case, prepare_namespace};
use crate::cluster::command_line::Home;
use crate::cluster::gpg::{GpgKey, verify_gpg, verify_ssh};
use crate::cluster::ssh::KeyPair;
use crate::cluster::{ControlPlane, control_plane};

/// What the user's git is told, and what it finds besides.
struct Configured<'a> {
    name: &'static str,
    config: String,
    environment: Vec<(&'static str, &'a std::path::Path)>,
}

impl Configured<'_> {
    /// Lets it sign; the automation's commit is the same but for that.
    fn signed<'p>(&self, plane: &'p ControlPlane) -> Run<'p> {
        let author = json!({"commit": {
            "author": {"name": "A. (B) & C, d", "email": "x@y"}, "messageTemplate": "\u{e9}: {{len .Changed.Changes}}\n\n# kept\n",
        }});
        let run = Run::new(plane, &case(self.name, author), None);
        let home = Home::new();
        std::fs::write(home.path().join(".gitconfig"), &self.config).expect("it can be written");
        let mut command = run.command(&home, &["--sign", "user"]);
        for (name, value) in &self.environment {
            command.env(name, value);
        }
        let ran = crate::cluster::command_line::run(&mut command);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(
            ran.stdout
                .contains("\"signedBy\": \"your own git configuration\""),
            "{ran:?}"
        );
        let ours = run.repository.head("main").expect("main is there");
        let commit = run.repository.commit(&ours);
        let signed = run.repository.refs();
        run.reset();
        assert_eq!(run.resume(), None);
        let theirs = run.repository.head("main").expect("main is there");
        assert_eq!(commit, run.repository.commit(&theirs), "{}", self.name);
        run.repository.set_refs(&signed);
        run
    }
}

#[test]
fn the_users_git_signs_as_it_is_configured() {
    let Some(plane) = control_plane() else { return };
    prepare_namespace(plane);
    let Some(ssh) = KeyPair::generate("ed25519", "") else {
        return;
    };
    let parameters = "Key-Type: EDDSA\nKey-Curve: ed25519\nKey-Usage: sign";
    let Some(gpg) = GpgKey::generate(parameters, "") else {
        return;
    };
    let private = ssh.private();
    let by_ssh = Configured {
        name: "user-ssh",
        config: format!(
            "[gpg]\n\tformat = ssh\n[user]\n\tsigningKey = {}\n",
            private.display()
        ),
        environment: Vec::new(),
    };
    let run = by_ssh.signed(plane);
    let head = run.repository.head("main").expect("main is there");
    assert_eq!(verify_ssh(&run.repository, &head, &ssh), Ok(()));
    let by_gpg = Configured {
        name: "user-gpg",
        config: "[user]\n\tsigningKey = fluxcdbot@example.com\n".into(),
        environment: vec![("GNUPGHOME", gpg.home())],
    };
    let run = by_gpg.signed(plane);
    let head = run.repository.head("main").expect("main is there");
    assert_eq!(verify_gpg(&run.repository, &head, &gpg), Ok(()));
}

#[test]
fn a_git_that_does_not_sign_is_told_and_nothing_is_pushed() {
    let Some(plane) = control_plane() else { return };
    prepare_namespace(plane);
    let run = Run::new(plane, &case("user-none", json!({})), None);
    let home = Home::new();
    let config = "[gpg]\n\tformat = ssh\n[user]\n\tsigningKey = /nowhere/key\n";
    std::fs::write(home.path().join(".gitconfig"), config).expect("it can be written");
    let ran = run.reconcile(&home, &["--sign", "user"]);
    assert!(
        ran.code == Some(5) && ran.stderr.contains("your own git does not sign"),
        "{ran:?}"
    );
    assert_eq!(run.repository.refs(), run.start);
}
