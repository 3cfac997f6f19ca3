//! What a run has at hand besides its settings: the clock's word, who listens, the cluster, and the time that is left.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::facts::cluster::Hidden;
use crate::failure::{Failure, FailureKind};
use crate::io::cluster::{self, Cluster, Connection, ConnectionSettings, Recorder};
use crate::io::docker_config::UserLogins;
use crate::io::observer::Observer;
use crate::io::registry::{Patience, Registries, RegistrySettings, ScanLimits};

use super::replay::Replay;

/// As good as no limit.
pub const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// One run of a command.
pub struct Session {
    /// When the run began; what is decided by time is decided by this one moment.
    pub now: Timestamp,
    /// Who listens.
    pub observer: Observer,
    limit: Duration,
    began: Instant,
    ends: Instant,
    runtime: tokio::runtime::Runtime,
    cluster: Option<Cluster>,
    registries: Registries,
    max_tags: usize,
    logins: UserLogins,
    replay: Option<Arc<Replay>>,
    forbidden: Mutex<Vec<Hidden>>,
}

/// What a session is opened with.
#[derive(Debug)]
pub struct SessionSettings {
    /// The moment that counts as now.
    pub now: Timestamp,
    /// Who listens.
    pub observer: Observer,
    /// `--timeout`: the limit of the whole run.
    pub limit: Duration,
    /// The cluster, where one is asked.
    pub connection: Option<Connection>,
    /// How registries are asked.
    pub registries: RegistryLimits,
    /// What answers in the place of registries and git servers, and perhaps of the cluster.
    pub replay: Option<Arc<Replay>>,
    /// What hears the cluster's answers.
    pub recorder: Option<Recorder>,
}

/// The bounds of what registries are asked and may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistryLimits {
    /// `--max-requests-per-host`: how many requests may be under way to one host at a time.
    pub max_requests_per_host: usize,
    /// `--max-tags`: how many tags an image may have.
    pub max_tags: usize,
}

/// Settles which cluster and namespace a run is about. Reads files; asks nobody.
///
/// # Errors
///
/// There is no kubeconfig, it can't be read, or it doesn't hold what is named.
pub fn settle(settings: &ConnectionSettings) -> Result<Connection, Failure> {
    Ok(cluster::settle(settings)?)
}

/// The names of the kubeconfig's contexts, sorted. Reads files; asks nobody.
///
/// # Errors
///
/// The kubeconfig can't be read.
pub fn contexts(settings: &ConnectionSettings) -> Result<Vec<String>, Failure> {
    Ok(cluster::contexts(settings)?)
}

impl Session {
    /// Opens a session; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// The credentials of the cluster can't be used.
    pub fn open(settings: SessionSettings) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::cluster(format!("no event loop can be started: {error}")))?;
        let guard = runtime.enter();
        let recorded = settings.replay.as_ref();
        let recorded = recorded.and_then(|replay| replay.cluster.clone());
        let cluster = match recorded {
            Some(recorded) => Some(Cluster::recorded(recorded, settings.observer.clone())),
            None => settings
                .connection
                .map(|connection| Cluster::open(connection, settings.observer.clone()))
                .transpose()?,
        };
        let cluster = match settings.recorder {
            Some(recorder) => cluster.map(|cluster| cluster.recording_to(recorder)),
            None => cluster,
        };
        drop(guard);
        let began = Instant::now();
        let registries = RegistrySettings {
            max_requests_per_host: settings.registries.max_requests_per_host,
        };
        Ok(Self {
            registries: Registries::new(registries, settings.observer.clone()),
            max_tags: settings.registries.max_tags,
            logins: UserLogins::of_environment(),
            now: settings.now,
            observer: settings.observer,
            limit: settings.limit,
            began,
            ends: began.checked_add(settings.limit).unwrap_or(began + FOREVER),
            runtime,
            cluster,
            forbidden: Mutex::new(settings.replay.as_ref().map_or_else(Vec::new, |replay| {
                let recorded = replay.facts.unreadable.iter();
                recorded.filter_map(super::replay::hidden).collect()
            })),
            replay: settings.replay,
        })
    }

    /// The cluster.
    ///
    /// # Errors
    ///
    /// The run has none: it reads manifests.
    pub fn cluster(&self) -> Result<&Cluster, Failure> {
        self.cluster
            .as_ref()
            .ok_or_else(|| Failure::usage("this needs a cluster: leave out -f"))
    }

    /// Remembers credentials that may not be read.
    pub(super) fn remember_forbidden(&self, hidden: Vec<Hidden>) {
        let mut all = self
            .forbidden
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.extend(hidden);
    }

    /// The credentials that were asked for so far and may not be read.
    pub(super) fn forbidden(&self) -> Vec<Hidden> {
        let all = self
            .forbidden
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.clone()
    }

    /// What answers in the place of registries and git servers.
    pub(super) fn replay(&self) -> Option<&Replay> {
        self.replay.as_deref()
    }

    /// The client of the run's registries.
    pub(super) fn registries(&self) -> &Registries {
        &self.registries
    }

    /// The user's own logins.
    pub(super) fn logins(&self) -> &UserLogins {
        &self.logins
    }

    /// The bounds of a scan that may take this long.
    pub(super) fn scan_limits(&self, timeout: Duration, patience: Patience) -> ScanLimits {
        ScanLimits {
            timeout,
            max_tags: self.max_tags,
            patience,
        }
    }

    /// The kubeconfig's context, where a cluster is asked.
    pub fn context(&self) -> Option<&str> {
        self.cluster.as_ref()?.context()
    }

    /// What is left of `--timeout`.
    pub fn left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    /// The present moment, for runs that last: [`now`](Self::now) and the time since.
    pub fn moment(&self) -> Timestamp {
        let passed = self.began.elapsed();
        self.now.checked_add(passed).unwrap_or(self.now)
    }

    /// Does nothing for a while; `false`: the time is up.
    pub fn pause(&self, length: Duration) -> bool {
        let length = length.min(self.left());
        self.runtime
            .block_on(async { tokio::time::sleep(length).await });
        !self.left().is_zero()
    }

    /// Waits for `work` as long as `--timeout` allows.
    ///
    /// # Errors
    ///
    /// The time is up; `doing` says what was going on, and `kind` whose time it was.
    pub fn wait<T>(
        &self,
        kind: FailureKind,
        doing: &str,
        work: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let left = self.left();
        let limited = async { tokio::time::timeout(left, work).await };
        self.runtime
            .block_on(limited)
            .map_err(|_| self.out_of_time(kind, doing))
    }

    /// The failure of a run whose time is up; `doing` says what was going on, and `kind` whose time it was.
    pub fn out_of_time(&self, kind: FailureKind, doing: &str) -> Failure {
        Failure {
            kind,
            message: format!(
                "{doing} took longer than {:?}: allow more with --timeout",
                self.limit
            ),
        }
    }
}
