//! kubectl's connection flags, with kubectl's meaning, and their typed form.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use secrecy::SecretString;

use crate::failure::Failure;
use crate::go::number::parse_duration;
use crate::io::cluster::ConnectionSettings;

/// Flags that choose the cluster and who asks it; they stand before or after the command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ConnectionArgs {
    /// The kubeconfig [default: the files of $KUBECONFIG, merged, or ~/.kube/config]
    #[arg(long, value_name = "FILE", global = true, hide_short_help = true)]
    kubeconfig: Option<PathBuf>,

    /// The kubeconfig's context
    #[arg(long, value_name = "NAME", global = true, hide_short_help = true)]
    context: Option<String>,

    /// The kubeconfig's cluster
    #[arg(long, value_name = "NAME", global = true, hide_short_help = true)]
    cluster: Option<String>,

    /// The kubeconfig's user
    #[arg(long, value_name = "NAME", global = true, hide_short_help = true)]
    user: Option<String>,

    /// The API server's address
    #[arg(
        short = 's',
        long,
        value_name = "URL",
        global = true,
        hide_short_help = true
    )]
    server: Option<String>,

    /// The bearer token
    #[arg(long, value_name = "TOKEN", global = true, hide_short_help = true)]
    token: Option<SecretString>,

    /// The client's certificate, a PEM file
    #[arg(long, value_name = "FILE", global = true, hide_short_help = true)]
    client_certificate: Option<String>,

    /// The key of the client's certificate, a PEM file
    #[arg(long, value_name = "FILE", global = true, hide_short_help = true)]
    client_key: Option<String>,

    /// The authority that the server's certificate must come from, a PEM file
    #[arg(long, value_name = "FILE", global = true, hide_short_help = true)]
    certificate_authority: Option<String>,

    /// Take any certificate of the server
    #[arg(long, global = true, hide_short_help = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    insecure_skip_tls_verify: bool,

    /// The name that the server's certificate must have
    #[arg(long, value_name = "NAME", global = true, hide_short_help = true)]
    tls_server_name: Option<String>,

    /// Ask for answers without compression
    #[arg(long, global = true, hide_short_help = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    disable_compression: bool,

    /// The limit of one request to the API server, such as 30s; 0: none
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "0",
        global = true,
        hide_short_help = true
    )]
    request_timeout: String,

    /// Act as this user
    #[arg(
        long = "as",
        value_name = "USER",
        global = true,
        hide_short_help = true
    )]
    impersonate: Option<String>,

    /// Act as a member of this group (repeatable)
    #[arg(
        long = "as-group",
        value_name = "GROUP",
        global = true,
        hide_short_help = true
    )]
    impersonate_group: Vec<String>,

    /// Act with this UID
    #[arg(
        long = "as-uid",
        value_name = "UID",
        global = true,
        hide_short_help = true
    )]
    impersonate_uid: Option<String>,

    /// Act with this extra attribute (repeatable)
    #[arg(
        long = "as-user-extra",
        value_name = "KEY=VALUE",
        global = true,
        hide_short_help = true
    )]
    impersonate_extra: Vec<String>,
}

impl ConnectionArgs {
    /// The flags that say which cluster is meant, as they were given.
    pub fn kubeconfig_and_context(&self) -> Vec<(&'static str, String)> {
        let file = self.kubeconfig.as_ref();
        let file = file.map(|file| ("--kubeconfig", file.display().to_string()));
        let context = self.context.clone().map(|context| ("--context", context));
        file.into_iter().chain(context).collect()
    }

    /// The same flags for another context.
    pub fn in_context(&self, context: &str) -> Self {
        Self {
            context: Some(context.to_owned()),
            ..self.clone()
        }
    }

    /// The flags as settings.
    pub fn settings(&self) -> Result<ConnectionSettings, Failure> {
        Ok(ConnectionSettings {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            cluster: self.cluster.clone(),
            user: self.user.clone(),
            server: self.server.clone(),
            token: self.token.clone(),
            client_certificate: self.client_certificate.clone(),
            client_key: self.client_key.clone(),
            certificate_authority: self.certificate_authority.clone(),
            insecure_skip_tls_verify: self.insecure_skip_tls_verify,
            tls_server_name: self.tls_server_name.clone(),
            disable_compression: self.disable_compression,
            request_timeout: request_timeout(&self.request_timeout)?,
            impersonate: self.impersonate.clone(),
            impersonate_groups: self.impersonate_group.clone(),
            impersonate_uid: self.impersonate_uid.clone(),
            impersonate_extra: self
                .impersonate_extra
                .iter()
                .map(|text| extra(text))
                .collect::<Result<_, _>>()?,
        })
    }
}

fn extra(text: &str) -> Result<(String, String), Failure> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(Failure::usage(format!(
            "--as-user-extra {text}: is not KEY=VALUE"
        ))),
    }
}

/// kubectl's: a duration, or a number of seconds; none for 0.
fn request_timeout(text: &str) -> Result<Option<Duration>, Failure> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok((seconds > 0).then(|| Duration::from_secs(seconds)));
    }
    duration("--request-timeout", text).map(|limit| (!limit.is_zero()).then_some(limit))
}

/// A duration that is not negative, in Go's notation.
pub fn duration(flag: &str, text: &str) -> Result<Duration, Failure> {
    let nanoseconds = parse_duration(text)
        .ok()
        .and_then(|value| u64::try_from(value).ok());
    nanoseconds
        .map(Duration::from_nanos)
        .ok_or_else(|| Failure::usage(format!("{flag} {text}: is no duration such as 30s or 5m")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_durations_or_seconds() {
        assert_eq!(request_timeout("0").unwrap(), None);
        assert_eq!(request_timeout("0s").unwrap(), None);
        assert_eq!(request_timeout("5").unwrap(), Some(Duration::from_secs(5)));
        assert_eq!(
            request_timeout("1m30s").unwrap(),
            Some(Duration::from_secs(90))
        );
        assert!(request_timeout("-1s").is_err());
        assert!(request_timeout("soon").is_err());
    }
}
