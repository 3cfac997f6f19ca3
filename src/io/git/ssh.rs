//! A private key for one conversation over ssh: an agent of our own holds it, so that it is never on disk.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::controllers::known_hosts::TrustedKeys;
use crate::io::program::{self, Limits, Stopped};

/// A private key, and what ssh is told besides.
#[derive(Clone, Copy)]
pub(super) struct Identity<'a> {
    /// The user on the server.
    pub user: &'a str,
    /// The key, PEM.
    pub key: &'a [u8],
    /// Its passphrase, or empty.
    pub passphrase: &'a str,
    /// The host keys that are trusted.
    pub trusted: &'a TrustedKeys,
    /// The way to the server, where it is not reached directly: ssh's `ProxyCommand`.
    pub proxy_command: Option<&'a str>,
    /// How long the server may take until it has shown who it is.
    pub limit: Duration,
}

/// Why the key can't be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// The controller can't read it either: its cause.
    Key(String),
    /// We can't hand it to ssh, and what to do.
    Here(String),
}

/// An agent that holds one key and ends with this value; or, should this process be killed, when the pipe to it closes.
#[derive(Debug)]
pub(super) struct Agent {
    /// The configuration file that makes ssh use it.
    pub config: PathBuf,
    socket: PathBuf,
    keeper: Child,
    agent: Option<u32>,
    pipe: Option<ChildStdin>,
}

impl Agent {
    /// Starts an agent below `folder`, which only its owner may enter, and gives it the key.
    pub fn start(
        folder: &Path,
        identity: &Identity<'_>,
        deadline: Instant,
    ) -> Result<Self, Unusable> {
        if cfg!(windows) {
            return Err(Unusable::Here(
                "the ssh key of a Secret can't be used on Windows, where ssh-agent is a service of the machine and the key would have to be written to disk: run this on Linux or macOS, or with --worktree".into(),
            ));
        }
        let agent = Self::hold(folder)?;
        agent
            .add_key(folder, identity, deadline)
            .map(|()| agent)
            .and_then(|agent| match agent.write_config(identity) {
                Ok(()) => Ok(agent),
                Err(error) => Err(cannot("a configuration of ssh be written", &error)),
            })
    }

    fn hold(folder: &Path) -> Result<Self, Unusable> {
        // An agent that was told to end takes its socket's path away moments later: no other may stand there.
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let socket = folder.join(format!("agent{number}"));
        drop(fs::remove_file(&socket));
        let mut keeper = Command::new("ssh-agent")
            .arg("-a")
            .arg(&socket)
            .args(["sh", "-c", "echo \"$SSH_AGENT_PID\"; exec cat"])
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| cannot("ssh-agent be run", &error))?;
        let mut line = String::new();
        if let Some(output) = keeper.stdout.take() {
            // Without a line the agent has not started, as the key's adding will show.
            drop(BufReader::new(output).read_line(&mut line));
        }
        Ok(Self {
            config: folder.join("ssh_config"),
            socket,
            agent: line.trim().parse().ok(),
            pipe: keeper.stdin.take(),
            keeper,
        })
    }

    fn add_key(
        &self,
        folder: &Path,
        identity: &Identity<'_>,
        deadline: Instant,
    ) -> Result<(), Unusable> {
        // A line end in it can't be answered with; it is hardly ever meant, and then the controller fails too.
        let one_line = !identity.passphrase.contains(['\n', '\r']);
        let passphrase = if one_line { identity.passphrase } else { "" };
        let asker = folder.join("askpass");
        if !passphrase.is_empty() {
            write_asker(&asker, deadline)?;
        }
        let mut command = Command::new("ssh-add");
        command
            .args(["-q", "-"])
            .current_dir(folder)
            .env("SSH_AUTH_SOCK", &self.socket)
            .env("SSH_ASKPASS", &asker)
            .env("SSH_ASKPASS_REQUIRE", "force")
            // Before OpenSSH 8.4 a display is what makes it ask a program.
            .env("DISPLAY", ":none")
            .env(PASSPHRASE, passphrase)
            .env("LC_ALL", "C");
        let limits = Limits {
            deadline: Some(deadline),
            output: 1 << 16,
        };
        // Go reads the first block and passes over what stands around it; OpenSSH wants nothing but a block.
        let block = crate::go::pem::blocks(identity.key).next();
        let text = block.map(|block| block.text.replace('\r', "") + "\n");
        let key = text.map_or_else(|| identity.key.to_vec(), String::into_bytes);
        let output =
            program::run(&mut command, Some(key), limits).map_err(|stopped| match stopped {
                Stopped::NotStarted(error) => cannot("ssh-add be run", &error),
                _ => Unusable::Here("ssh-add does not come to an end with the key".into()),
            })?;
        if output.success() {
            return Ok(());
        }
        Err(unusable_key(
            identity,
            String::from_utf8_lossy(&output.stderr).trim(),
        ))
    }

    fn write_config(&self, identity: &Identity<'_>) -> io::Result<()> {
        let known_hosts = self.config.with_file_name("known_hosts");
        fs::write(&known_hosts, &identity.trusted.file)?;
        let algorithms = host_key_algorithms(&identity.trusted.key_types);
        let algorithms = if algorithms.is_empty() {
            String::new()
        } else {
            format!("HostKeyAlgorithms {}\n", algorithms.join(","))
        };
        let text = format!(
            "Host *\n\
             User {}\n\
             IdentityAgent {}\n\
             UserKnownHostsFile {}\n\
             {algorithms}\
             GlobalKnownHostsFile /dev/null\n\
             StrictHostKeyChecking yes\n\
             IgnoreUnknown PubkeyAcceptedAlgorithms\n\
             PubkeyAcceptedAlgorithms +ssh-rsa\n\
             PreferredAuthentications publickey\n\
             BatchMode yes\n\
             ConnectTimeout {}\n\
             IdentityFile none\n\
             IdentitiesOnly no\n\
             CheckHostIP no\n\
             UpdateHostKeys no\n\
             ForwardAgent no\n\
             ProxyCommand {}\n\
             ControlMaster no\n\
             ControlPath none\n\
             PermitLocalCommand no\n",
            quoted(identity.user),
            quoted(&self.socket.to_string_lossy()),
            quoted(&known_hosts.to_string_lossy()),
            identity.limit.as_secs() + 1,
            identity.proxy_command.unwrap_or("none"),
        );
        fs::write(&self.config, text)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.pipe.take());
        end(self.agent);
        // The keeper ends when its pipe closes.
        drop(self.keeper.wait());
        drop(fs::remove_file(&self.socket));
    }
}

const PASSPHRASE: &str = "KUBECTL_IMAGEAUTO_PASSPHRASE";

/// Writes a program that answers the question for a passphrase once; there is no secret in it.
///
/// Another process writes it: while one of ours is being started it has our open files for a moment, and a program that
/// somebody may write to can't be run.
fn write_asker(path: &Path, deadline: Instant) -> Result<(), Unusable> {
    let script = format!(
        "#!/bin/sh\ncase \"$1\" in Bad*) exit 1;; esac\nprintf '%s\\n' \"${PASSPHRASE}\"\n"
    );
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077 && cat > \"$0\" && chmod 700 \"$0\""]);
    command.arg(path);
    let limits = Limits {
        deadline: Some(deadline),
        output: 1 << 10,
    };
    match program::run(&mut command, Some(script.into_bytes()), limits) {
        Ok(output) if output.success() => Ok(()),
        _ => Err(Unusable::Here(format!(
            "the passphrase of the Secret's ssh key can't be passed on: {} can't be written",
            path.display()
        ))),
    }
}

fn cannot(what: &str, error: &io::Error) -> Unusable {
    let error = crate::io::error_text(error);
    Unusable::Here(format!(
        "the ssh key of the Secret can't be used, for neither may it touch the disk nor can {what} ({error}): install OpenSSH's client with ssh-agent and ssh-add"
    ))
}

/// The controller's words for a key that `ssh-add` refuses.
fn unusable_key(identity: &Identity<'_>, words: &str) -> Unusable {
    let block = crate::go::pem::blocks(identity.key).next();
    let is_openssh = block.is_some_and(|block| block.kind == "OPENSSH PRIVATE KEY");
    if words.contains("invalid format") || words.contains("error in libcrypto") {
        return if is_openssh {
            Unusable::Key("ssh: invalid openssh private key format".into())
        } else {
            Unusable::Here(format!(
                "ssh-add can't read the ssh key of the Secret, which the controller perhaps can ({words}): convert it with ssh-keygen -p"
            ))
        };
    }
    if words.contains("agent") {
        return Unusable::Here(format!(
            "the agent for the ssh key of the Secret failed: {words}"
        ));
    }
    Unusable::Key(if is_openssh && identity.passphrase.is_empty() {
        "bcrypt_pbkdf: empty password".into()
    } else {
        "x509: decryption password incorrect".into()
    })
}

/// The algorithms that the controller offers: those of the keys in `known_hosts`, and RSA's newer signatures.
pub(super) fn host_key_algorithms(key_types: &[String]) -> Vec<&str> {
    let mut algorithms = Vec::new();
    for key_type in key_types {
        if key_type == "ssh-rsa" {
            algorithms.extend(["rsa-sha2-512", "rsa-sha2-256"]);
        }
        // DSA is gone from OpenSSH, and a name that it doesn't know would spoil the rest.
        if key_type != "ssh-dss" {
            algorithms.push(key_type);
        }
    }
    algorithms
}

/// A word of OpenSSH's configuration file, which expands `%` and splits at blanks.
fn quoted(text: &str) -> String {
    let plain: String = text
        .chars()
        .filter(|character| !character.is_control() && *character != '"')
        .collect();
    format!("\"{}\"", plain.replace('%', "%%"))
}

/// The command that git runs as ssh.
pub(super) fn command(config: &Path) -> String {
    format!(
        "ssh -F '{}'",
        config.to_string_lossy().replace('\'', "'\\''")
    )
}

/// The user's own ssh, told to ask nothing; `None` where it is a program of which we don't know how.
pub(super) fn command_that_asks_nothing(own: &str) -> Option<String> {
    let program = own.split_whitespace().next().unwrap_or_default();
    let name = program.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = name.trim_matches(['\'', '"']).to_ascii_lowercase();
    match name.strip_suffix(".exe").unwrap_or(&name) {
        "ssh" => Some(format!("{own} -o BatchMode=yes")),
        "plink" | "tortoiseplink" => Some(format!("{own} -batch")),
        _ => None,
    }
}

#[cfg(unix)]
fn end(agent: Option<u32>) {
    use rustix::process::{Pid, Signal, kill_process};
    let id = agent.and_then(|id| i32::try_from(id).ok());
    if let Some(id) = id.and_then(Pid::from_raw) {
        // An agent that is gone already is what is wanted.
        let _ = kill_process(id, Signal::TERM);
    }
}

#[cfg(not(unix))]
fn end(_: Option<u32>) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rsa_keys_bring_their_newer_signatures() {
        let types = ["ssh-dss", "ssh-ed25519", "ssh-rsa"].map(str::to_owned);
        assert_eq!(
            host_key_algorithms(&types),
            ["ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"]
        );
    }

    #[test]
    fn the_users_ssh_is_told_to_ask_nothing() {
        let told = |own| command_that_asks_nothing(own);
        assert_eq!(
            told("/usr/bin/ssh -i key").as_deref(),
            Some("/usr/bin/ssh -i key -o BatchMode=yes")
        );
        assert_eq!(
            told("C:\\putty\\plink.exe").as_deref(),
            Some("C:\\putty\\plink.exe -batch")
        );
        assert_eq!(told("my-wrapper"), None);
    }

    #[test]
    fn paths_are_safe_words_of_a_configuration() {
        assert_eq!(quoted("/a b/100%\n\""), "\"/a b/100%%\"");
        assert_eq!(command(Path::new("/it's/x")), "ssh -F '/it'\\''s/x'");
    }
}
