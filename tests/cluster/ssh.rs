//! Key pairs and git over ssh, by the programs of OpenSSH.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::programs::is_there;
use super::repository::{git, output};

/// A key pair in a folder of its own.
pub struct KeyPair {
    folder: tempfile::TempDir,
    /// The line of its public half: `TYPE BASE64 COMMENT`.
    pub public: String,
}

impl KeyPair {
    /// Makes a pair of a type that `ssh-keygen -t` knows; an empty passphrase leaves the private half unencrypted.
    ///
    /// `None` where OpenSSH isn't installed.
    pub fn generate(kind: &str, passphrase: &str) -> Option<Self> {
        for program in ["ssh", "ssh-keygen"] {
            // Any question does: ssh-keygen knows none that it answers with success.
            if !is_there(program, "-V", "install OpenSSH's client, for git over ssh") {
                return None;
            }
        }
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let private = folder.path().join("identity");
        output(
            Command::new("ssh-keygen")
                .args(["-q", "-t", kind, "-C", "test", "-N", passphrase, "-f"])
                .arg(&private),
            b"",
        );
        let public = fs::read_to_string(private.with_extension("pub")).expect("it was made");
        Some(Self {
            folder,
            public: public.trim().to_owned(),
        })
    }

    /// The file of the private half.
    pub fn private(&self) -> PathBuf {
        self.folder.path().join("identity")
    }
}

/// git over ssh with this key, on servers that the known_hosts file names.
pub fn git_over_ssh(key: &KeyPair, known_hosts: &Path) -> Command {
    let ssh = format!(
        "ssh -F /dev/null -o BatchMode=yes -o IdentitiesOnly=yes -o IdentityAgent=none -o StrictHostKeyChecking=yes \
         -o UserKnownHostsFile='{}' -i '{}'",
        known_hosts.display(),
        key.private().display()
    );
    let mut command = git();
    command.env("GIT_SSH_COMMAND", ssh);
    command
}
