//! A git server, spoken to through git itself: with the credentials of an object and nothing else, or with the user's own set-up.
//!
//! Credentials reach git through the environment (http) or an agent (ssh), never as an argument or a file; the one exception,
//! a client's key for TLS, is told at [`IdentityFiles`].

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::certificates::{IdentityFiles, bundle};
use super::fault::Fault;
use super::http_trace::Spoken;
use super::private::{ask_nobody, cannot_run, isolate, on};
use super::redirect::{self, Redirect};
use super::socks;
use super::ssh::{self, Agent, Identity, Unusable};
use crate::controllers::known_hosts::{TrustedKeys, trusted_keys};
use crate::facts::git::{GitAccess, GitLogin, without_user_info};
use crate::facts::network::Proxy;
use crate::go::url::Address;
use crate::io::observer::{Event, Observer};
use crate::io::program::{self, Limits, Output, Stopped};

/// What the server is called in our commands; its address is only in their environment.
pub(super) const NAME: &str = "imageauto";

/// More than this is not read from a server about its refs.
const MOST_OUTPUT: usize = 256 << 20;

/// A server and how to log in to it.
pub(super) struct Remote {
    /// The address as the object says it.
    url: String,
    /// The address after redirects.
    asked: String,
    /// The login, or none once a redirect led to another server.
    access: GitAccess,
    scheme: Scheme,
    host: String,
    /// The temporary folder.
    folder: PathBuf,
    trusted: Option<TrustedKeys>,
    agent: Option<Agent>,
    bundle: Option<PathBuf>,
    /// How long a conversation may take in all, for the words about it.
    limit: Duration,
    observer: Observer,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Ssh,
    File,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Remote")
            .field("url", &without_user_info(&self.url))
            .field("access", &self.access)
            .finish()
    }
}

/// The program behind a conversation, as servers know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// What fetches and lists.
    UploadPack,
    /// What takes a push.
    ReceivePack,
}

impl Service {
    /// Its name in addresses.
    fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }
}

/// One command of git's that talks to the server.
pub(super) struct Call<'a> {
    /// Whom it talks to.
    pub service: Service,
    /// The repository it works on.
    pub repository: &'a Path,
    /// Its arguments; [`NAME`] stands for the server.
    pub arguments: &'a [&'a str],
    /// When it is ended.
    pub deadline: Instant,
}

impl Remote {
    /// Prepares to speak to the server at `url` for no longer than `limit`; files go into `folder`.
    pub fn new(
        url: &str,
        access: &GitAccess,
        limit: Duration,
        folder: &Path,
        observer: &Observer,
    ) -> Result<Self, Fault> {
        let parsed = Address::parse(url).map_err(|error| Fault::unusable_url(error.why))?;
        let scheme = match parsed.scheme.as_str() {
            "http" | "https" => Scheme::Http,
            "ssh" => Scheme::Ssh,
            "file" => Scheme::File,
            other => {
                return Err(Fault::unusable_url(format!(
                    "\"{other}\" is no way to a repository: http, https and ssh are"
                )));
            }
        };
        if parsed.host.starts_with('-') || parsed.user.starts_with('-') {
            return Err(Fault::unusable_url(
                "a host or user that starts with a dash is an option to the programs that git runs",
            ));
        }
        let own = access.login == GitLogin::UserOwn;
        let asked = match &access.login {
            // The user's own git may know a login by the name in the address.
            GitLogin::UserOwn => url.to_owned(),
            GitLogin::Key { user, .. } => with_user(url, user),
            _ => without_user_info(url),
        };
        let bundle = bundle(folder, &access.tls).map_err(|error| Fault::of_disk(folder, &error))?;
        Ok(Self {
            url: url.to_owned(),
            asked,
            scheme,
            host: parsed.host_name(),
            trusted: None,
            agent: None,
            bundle: bundle.filter(|_| !own),
            folder: folder.to_owned(),
            access: access.clone(),
            limit,
            observer: observer.clone(),
        })
    }

    /// Runs a command, follows where the server's first answer sends us, and gives its output.
    ///
    /// # Errors
    ///
    /// It can't be run, came to no end in time, or failed.
    pub fn call(&mut self, call: &Call<'_>) -> Result<Output, Fault> {
        let outcome = self.call_and_follow(call);
        outcome.map_err(|fault| fault.redacted(|text| self.redacted(text)))
    }

    /// As [`call`](Self::call), for a command that may fail with a result on its output: whether it ended well is its caller's to see.
    ///
    /// # Errors
    ///
    /// It can't be run, came to no end in time, or failed without a word on its output.
    pub fn call_with_result(&mut self, call: &Call<'_>) -> Result<(Output, Spoken), Fault> {
        let outcome = self.converse(call, |output| !output.stdout.is_empty());
        let (output, mut spoken) =
            outcome.map_err(|fault| fault.redacted(|text| self.redacted(text)))?;
        for line in &mut spoken.words {
            *line = self.redacted(line);
        }
        Ok((output, spoken))
    }

    fn call_and_follow(&mut self, call: &Call<'_>) -> Result<Output, Fault> {
        let (output, spoken) = self.converse(call, |_| false)?;
        self.checked(output, &spoken)
    }

    /// Runs a command as often as the server sends it elsewhere; `is_result` tells of a failed one whether it said what there is to know.
    fn converse(
        &mut self,
        call: &Call<'_>,
        is_result: fn(&Output) -> bool,
    ) -> Result<(Output, Spoken), Fault> {
        self.prepare_ssh(call.deadline)?;
        let mut hop = 0;
        loop {
            let (outcome, spoken) = self.once(call)?;
            if outcome.success() || is_result(&outcome) {
                return Ok((outcome, spoken));
            }
            hop += 1;
            if !self.follow(&spoken, hop)? {
                return Err(self.fault(call, &spoken));
            }
        }
    }

    /// Lets the agent go, if there is one; the next call starts another.
    pub fn rest(&mut self) {
        self.agent = None;
    }

    fn is_own(&self) -> bool {
        self.access.login == GitLogin::UserOwn
    }

    fn prepare_ssh(&mut self, deadline: Instant) -> Result<(), Fault> {
        let GitLogin::Key {
            user,
            identity,
            passphrase,
            known_hosts,
        } = &self.access.login
        else {
            return Ok(());
        };
        if self.scheme != Scheme::Ssh || self.agent.is_some() {
            return Ok(());
        }
        let relay = self.access.proxy.as_ref().map(relay_through).transpose()?;
        let port = Address::parse(&self.url)
            .ok()
            .and_then(|url| url.port().and_then(|port| port.parse().ok()));
        // The controller reads the key before the known hosts.
        let trusted = trusted_keys(known_hosts, &self.host, port.unwrap_or(22));
        let unread = TrustedKeys::default();
        let identity = Identity {
            user,
            key: identity,
            passphrase,
            trusted: trusted.as_ref().unwrap_or(&unread),
            proxy_command: relay.as_deref(),
            limit: self.limit,
        };
        let agent = Agent::start(&self.folder, &identity, deadline).map_err(|why| match why {
            Unusable::Key(cause) => Fault::of_key(&cause),
            Unusable::Here(why) => Fault::refusal(why),
        })?;
        self.trusted = Some(trusted.map_err(|cause| Fault::of_key(&cause))?);
        self.agent = Some(agent);
        Ok(())
    }

    fn once(&self, call: &Call<'_>) -> Result<(Output, Spoken), Fault> {
        let identity = self.identity_files()?;
        let mut command = on(call.repository);
        let settings = self.settings(identity.as_ref());
        self.set_environment(&mut command, &settings);
        command.args(call.arguments);
        let started = Instant::now();
        let limits = Limits {
            deadline: Some(call.deadline),
            output: MOST_OUTPUT,
        };
        let ended = program::run(&mut command, None, limits);
        drop(identity);
        self.tell(call.arguments, &ended, started);
        match ended {
            Ok(output) => {
                let spoken = Spoken::parse(&output.stderr);
                Ok((output, spoken))
            }
            Err(Stopped::TimedOut(stderr)) => {
                let spoken = Spoken::parse(&stderr);
                let is_http = self.scheme == Scheme::Http;
                let asked = without_user_info(&self.asked);
                Err(Fault::timed_out(&spoken, &asked, is_http, self.limit))
            }
            Err(Stopped::NotStarted(error)) => Err(Fault::no_git(cannot_run(&error))),
            Err(Stopped::TooMuch) => Err(Fault::refusal(format!(
                "the server lists more than {} MiB of refs, which are not read",
                MOST_OUTPUT >> 20
            ))),
        }
    }

    fn identity_files(&self) -> Result<Option<IdentityFiles>, Fault> {
        let identity = self.access.tls.identity.as_ref();
        identity
            .filter(|_| self.scheme == Scheme::Http && !self.is_own())
            .map(|identity| IdentityFiles::write(&self.folder, identity))
            .transpose()
            .map_err(|error| Fault::of_disk(&self.folder, &error))
    }

    /// Git's settings for one command.
    fn settings(&self, identity: Option<&IdentityFiles>) -> Vec<(String, String)> {
        let mut settings: Vec<(String, String)> = [
            ("core.hooksPath", "/dev/null"),
            ("core.fsmonitor", "false"),
            ("core.fsync", "none"),
            ("fetch.recurseSubmodules", "false"),
            ("fetch.unpackLimit", "1"),
            ("fetch.writeCommitGraph", "false"),
            ("gc.auto", "0"),
            ("maintenance.auto", "false"),
            ("transfer.bundleURI", "false"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        let mut set = |key: &str, value: String| settings.push((key.to_owned(), value));
        if self.is_own() || self.scheme != Scheme::Http {
            set(&format!("remote.{NAME}.url"), self.asked.clone());
            return settings;
        }
        // With a login in the address git doesn't look for another when it is refused. It is never sent: the header comes first.
        let refused = self.asked.replacen("://", "://none:none@", 1);
        set(&format!("remote.{NAME}.url"), refused);
        set("http.followRedirects", "false".into());
        set("http.extraHeader", authorization(&self.access.login));
        let path = |path: &Path| path.to_string_lossy().into_owned();
        if let Some(bundle) = &self.bundle {
            set("http.sslCAInfo", path(bundle));
            set("http.proxySSLCAInfo", path(bundle));
        }
        if let Some(files) = identity {
            set("http.sslCert", path(&files.certificate));
            set("http.sslKey", path(&files.key));
        }
        if let Some(proxy) = self.proxy() {
            set("http.proxy", proxy);
        }
        settings
    }

    /// The object's proxy as curl wants it.
    fn proxy(&self) -> Option<String> {
        let proxy = self.access.proxy.as_ref()?;
        let (scheme, host) = proxy.address.split_once("://")?;
        // Names are looked up by the proxy, as Go has it.
        let scheme = if scheme == "socks5" {
            "socks5h"
        } else {
            scheme
        };
        let login = match (proxy.username.as_str(), proxy.password.as_str()) {
            ("", "") => String::new(),
            (user, "") => format!("{}@", percent_encoded(user)),
            (user, password) => format!("{}:{}@", percent_encoded(user), percent_encoded(password)),
        };
        Some(format!("{scheme}://{login}{host}"))
    }

    fn set_environment(&self, command: &mut Command, settings: &[(String, String)]) {
        let mut first = 0;
        if self.is_own() {
            first = respect(command);
        } else {
            isolate(command, &self.folder);
            if self.access.proxy.is_some() {
                command.env_remove("no_proxy").env_remove("NO_PROXY");
            }
        }
        for (index, (key, value)) in settings.iter().enumerate() {
            command
                .env(format!("GIT_CONFIG_KEY_{}", first + index), key)
                .env(format!("GIT_CONFIG_VALUE_{}", first + index), value);
        }
        command.env("GIT_CONFIG_COUNT", (first + settings.len()).to_string());
        let protocols = match self.scheme {
            Scheme::File => "file",
            _ => "http:https:ssh",
        };
        // Who restricts their own git further, or opens it, is obeyed.
        if !self.is_own() || std::env::var_os("GIT_ALLOW_PROTOCOL").is_none() {
            command.env("GIT_ALLOW_PROTOCOL", protocols);
        }
        command
            .env("GIT_TRACE_CURL", "2")
            .env("GIT_TRACE_CURL_NO_DATA", "1")
            .env("GIT_TRACE_REDACT", "1");
        match &self.agent {
            Some(agent) => {
                command
                    .env("GIT_SSH_COMMAND", ssh::command(&agent.config))
                    .env("GIT_SSH_VARIANT", "ssh");
                if let Some(proxy) = &self.access.proxy {
                    command
                        .env(socks::USER, &proxy.username)
                        .env(socks::PASSWORD, &proxy.password);
                }
            }
            None if self.is_own() && self.scheme == Scheme::Ssh => {
                ask_nothing_over_ssh(command, &self.folder);
            }
            None => {}
        }
    }

    /// An output that is what it seems to be: git also reads servers that only look like one, the controller doesn't.
    fn checked(&self, output: Output, spoken: &Spoken) -> Result<Output, Fault> {
        let answers = spoken.exchanges.iter();
        let mut answers = answers.filter_map(|exchange| {
            let status = exchange
                .status
                .filter(|status| (200..300).contains(status))?;
            (exchange.method == "GET").then_some((status, &exchange.content_type))
        });
        match answers.next() {
            Some((status, kind)) if !kind.contains("-advertisement") => {
                Err(Fault::no_git_server(status == 204, &spoken.of_git()))
            }
            _ => Ok(output),
        }
    }

    /// Goes where the server redirects; `false` when it doesn't.
    fn follow(&mut self, spoken: &Spoken, hop: usize) -> Result<bool, Fault> {
        let redirected = spoken
            .last()
            .filter(|exchange| matches!(exchange.status, Some(301..=303 | 307 | 308)));
        let Some(exchange) = redirected.filter(|_| !self.is_own()) else {
            return Ok(false);
        };
        let Some(location) = &exchange.location else {
            return Ok(false);
        };
        if exchange.method != "GET" {
            return Err(Fault::redirected_later(&self.asked, location));
        }
        match redirect::judge(&self.asked, location, hop) {
            Redirect::Follow { url, same_server } => {
                if !same_server {
                    self.access.login = GitLogin::Anonymous;
                    self.access.tls.identity = None;
                }
                self.asked = url;
                Ok(true)
            }
            Redirect::Fails(cause) => Err(Fault::bad_redirect(cause)),
            Redirect::Refused(why) => Err(Fault::refusal(why)),
        }
    }

    /// What a failed command comes down to.
    fn fault(&self, call: &Call<'_>, spoken: &Spoken) -> Fault {
        match self.scheme {
            Scheme::Http => self.http_fault(call, spoken),
            Scheme::Ssh => self.ssh_fault(spoken),
            Scheme::File => Fault::of_words(&spoken.of_git()),
        }
    }

    fn ssh_fault(&self, spoken: &Spoken) -> Fault {
        let complaint = |line: &String| line.strip_prefix(socks::COMPLAINT).map(str::to_owned);
        match (&self.access.proxy, spoken.words.iter().find_map(complaint)) {
            (Some(proxy), Some(why)) => {
                let port = Address::parse(&self.url)
                    .ok()
                    .and_then(|url| url.port().map(str::to_owned));
                let port = port.as_deref().unwrap_or("22");
                Fault::no_way_through(&socks::authority(proxy), &self.host, port, &why)
            }
            _ => Fault::of_ssh(spoken, self.trusted.as_ref()),
        }
    }

    fn http_fault(&self, call: &Call<'_>, spoken: &Spoken) -> Fault {
        let refused = spoken.last().and_then(|exchange| {
            let status = exchange.status?;
            (!(200..300).contains(&status)).then_some((exchange, status))
        });
        let Some((exchange, status)) = refused else {
            return Fault::of_http(spoken, &self.asked, self.access.proxy.is_some());
        };
        let said = spoken.of_server().join("\n");
        // A refused login is not tried once more just for the sake of its words, if git has passed them on.
        let body = match exchange.plain_length() {
            Some(length) if status == 401 && !said.is_empty() && length >= said.len() => {
                format!("{said}{}", "\n".repeat(length - said.len()))
            }
            _ if exchange.method == "GET" && !self.is_own() => {
                self.body(call).unwrap_or_else(|| said.clone())
            }
            _ => said.clone(),
        };
        Fault::of_status(status, &exchange.method, &self.asked, &body)
    }

    /// The body with which the server refuses, whatever its type: git itself shows plain texts only.
    fn body(&self, call: &Call<'_>) -> Option<String> {
        const LONGEST: u64 = 32 << 10;
        let place = self.folder.join("answer.temp");
        drop(std::fs::remove_file(&place));
        let identity = self.identity_files().ok()?;
        let mut command = on(call.repository);
        self.set_environment(&mut command, &self.settings(identity.as_ref()));
        let (scheme, _) = self.asked.split_once("://")?;
        let helper = format!("remote-{scheme}");
        let arguments = [helper.as_str(), NAME];
        command.args(arguments);
        let input = format!(
            "get {}/info/refs?service={} {}\n\n",
            self.asked,
            call.service.name(),
            self.folder.join("answer").display()
        );
        let limits = Limits {
            deadline: Some(call.deadline),
            output: 1 << 16,
        };
        let started = Instant::now();
        let ended = program::run(&mut command, Some(input.into_bytes()), limits);
        self.tell(&arguments, &ended, started);
        let file = std::fs::File::open(&place).ok()?;
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(file, LONGEST), &mut bytes).ok()?;
        drop(std::fs::remove_file(&place));
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn tell(&self, arguments: &[&str], ended: &Result<Output, Stopped>, started: Instant) {
        let outcome = match ended {
            Ok(output) => output
                .code
                .map_or("ended by a signal".to_owned(), |code| code.to_string()),
            Err(Stopped::TimedOut(_)) => "timed out".into(),
            Err(_) => "not run to its end".into(),
        };
        self.observer.tell(Event::Program {
            command: self.shown(arguments),
            outcome,
            took: started.elapsed(),
        });
    }

    /// A command as it may be shown.
    fn shown(&self, arguments: &[&str]) -> String {
        let words = arguments.iter().map(|word| match *word {
            NAME => without_user_info(&self.asked),
            other => other.to_owned(),
        });
        format!("git {}", words.collect::<Vec<_>>().join(" "))
    }

    /// A text of the server's or of git's without our credentials in it.
    fn redacted(&self, text: &str) -> String {
        let mut text = text.replace("none:none@", "");
        if let Some((_, rest)) = self.url.split_once("://")
            && let Some((user, _)) = rest.split_once('@')
            && !user.contains('/')
        {
            text = text.replace(&format!("{user}@"), "");
        }
        let secrets: &[&str] = match &self.access.login {
            GitLogin::Basic { password, .. } => &[password],
            GitLogin::Bearer(token) => &[token],
            GitLogin::Key { passphrase, .. } => &[passphrase],
            GitLogin::Anonymous | GitLogin::UserOwn => &[],
        };
        let proxy = self.access.proxy.as_ref().map(|proxy| &proxy.password);
        for secret in secrets.iter().copied().chain(proxy.map(String::as_str)) {
            // A secret of a letter or two would make nonsense of every text.
            if secret.len() >= 4 {
                text = text.replace(secret, "…");
            }
        }
        text
    }
}

/// The way through a proxy for ssh.
fn relay_through(proxy: &Proxy) -> Result<String, Fault> {
    let program = std::env::current_exe().map_err(|error| {
        Fault::refusal(format!(
            "ssh goes through the proxy of proxySecretRef by this program, which can't be found again: {error}"
        ))
    })?;
    Ok(socks::command(&program, proxy))
}

/// The header that logs in, sent before it is asked for: as the controller does, wrong credentials fail even where none are needed.
fn authorization(login: &GitLogin) -> String {
    match login {
        GitLogin::Basic { username, password } => format!(
            "Authorization: Basic {}",
            STANDARD.encode(format!("{username}:{password}"))
        ),
        GitLogin::Bearer(token) => format!("Authorization: Bearer {token}"),
        // Without a value it takes away what else would be sent.
        _ => "Authorization:".into(),
    }
}

fn with_user(url: &str, user: &str) -> String {
    without_user_info(url).replacen("://", &format!("://{}@", percent_encoded(user)), 1)
}

fn percent_encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

/// Leaves the user's settings in a command's environment, but for what points git at another repository or makes it talk;
/// gives the number of settings that come through the environment already.
pub(super) fn respect(command: &mut Command) -> usize {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let elsewhere = [
            "GIT_DIR",
            "GIT_WORK_TREE",
            "GIT_INDEX_FILE",
            "GIT_COMMON_DIR",
            "GIT_PREFIX",
            "GIT_OBJECT_DIRECTORY",
            "GIT_ALTERNATE_OBJECT_DIRECTORIES",
            "GIT_NAMESPACE",
            "GIT_SHALLOW_FILE",
            "GIT_CURL_VERBOSE",
        ];
        if elsewhere.contains(&&*text) || text.starts_with("GIT_TRACE") {
            command.env_remove(&name);
        }
    }
    ask_nobody(command);
    let count = std::env::var("GIT_CONFIG_COUNT");
    count.ok().and_then(|count| count.parse().ok()).unwrap_or(0)
}

fn ask_nothing_over_ssh(command: &mut Command, folder: &Path) {
    if std::env::var_os("GIT_SSH").is_some() {
        return;
    }
    let named = std::env::var("GIT_SSH_COMMAND").ok();
    let configured = || {
        let mut command = Command::new("git");
        command
            .args(["config", "--get", "core.sshCommand"])
            .current_dir(folder);
        let output = command.output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (!text.is_empty()).then_some(text)
    };
    let own = named.or_else(configured).unwrap_or_else(|| "ssh".into());
    if let Some(told) = ssh::command_that_asks_nothing(&own) {
        command.env("GIT_SSH_COMMAND", told);
    }
}
