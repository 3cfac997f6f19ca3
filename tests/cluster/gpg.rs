//! OpenPGP keys, and signatures of commits as git checks them with the programs gpg and ssh-keygen.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::programs::is_there;
use super::repository::{Repository, git, output};
use super::ssh::KeyPair;

/// An OpenPGP key in a home folder of its own.
pub struct GpgKey {
    home: tempfile::TempDir,
    /// The armored private key, as a Secret holds it.
    pub private: String,
}

impl GpgKey {
    /// Makes a key by the parameters that `gpg --batch --generate-key` reads, without names and passphrase.
    ///
    /// `None` where gpg isn't installed.
    pub fn generate(parameters: &str, passphrase: &str) -> Option<Self> {
        if !is_there("gpg", "--version", "install gnupg, for signed commits") {
            return None;
        }
        let home = tempfile::tempdir().expect("a temporary folder can be made");
        let protection = if passphrase.is_empty() {
            "%no-protection".to_owned()
        } else {
            format!("Passphrase: {passphrase}")
        };
        let text = format!(
            "{parameters}\nName-Real: Flux\nName-Email: fluxcdbot@example.com\nExpire-Date: 0\n{protection}\n%commit\n"
        );
        output(
            gpg(home.path()).args(["--generate-key", "-"]),
            text.as_bytes(),
        );
        let private = output(
            gpg(home.path()).args([
                "--pinentry-mode",
                "loopback",
                "--passphrase",
                passphrase,
                "--armor",
                "--export-secret-keys",
            ]),
            b"",
        );
        Some(Self {
            private: String::from_utf8(private).expect("armor is text"),
            home,
        })
    }

    /// The home folder that holds it.
    pub fn home(&self) -> &Path {
        self.home.path()
    }
}

impl Drop for GpgKey {
    fn drop(&mut self) {
        // The agent that gpg started for the home ends with it.
        let mut command = Command::new("gpgconf");
        command.arg("--homedir").arg(self.home.path());
        drop(command.args(["--kill", "all"]).status());
    }
}

fn gpg(home: &Path) -> Command {
    let mut command = Command::new("gpg");
    command.env("GNUPGHOME", home).args(["--batch", "--quiet"]);
    command
}

/// What git says of a commit's OpenPGP signature.
pub fn verify_gpg(repository: &Repository, commit: &str, key: &GpgKey) -> Result<(), String> {
    verify(
        git()
            .env("GNUPGHOME", key.home.path())
            .arg("--git-dir")
            .arg(repository.folder())
            .args(["verify-commit", commit]),
    )
}

/// What git says of a commit's ssh signature.
pub fn verify_ssh(repository: &Repository, commit: &str, key: &KeyPair) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let signers = folder.path().join("signers");
    let line = format!("fluxcdbot@example.com {}\n", key.public);
    fs::write(&signers, line).expect("it can be written");
    verify(
        git()
            .arg("-c")
            .arg(format!("gpg.ssh.allowedSignersFile={}", signers.display()))
            .arg("--git-dir")
            .arg(repository.folder())
            .args(["verify-commit", commit]),
    )
}

fn verify(command: &mut Command) -> Result<(), String> {
    let output = command.output().expect("git can be run");
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}
