//! What `io` tells while it works. None of it is a result: commands show it as progress, or with `-v` as a log.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Something that happened on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A request was answered, or failed. Nothing in it is secret: URLs are without user information and credentials.
    Request {
        /// The HTTP method.
        method: &'static str,
        /// The URL.
        url: String,
        /// The status, or what went wrong.
        outcome: String,
        /// From the first byte sent to the last header read.
        took: Duration,
    },
    /// A program was run.
    Program {
        /// The program and its arguments, without anything secret.
        command: String,
        /// Its exit status.
        outcome: String,
        /// How long it ran.
        took: Duration,
    },
    /// A server puts the run off, which waits.
    Waiting {
        /// The server.
        host: String,
        /// What it answered, or what went wrong.
        because: String,
        /// How long until it is asked again.
        wait: Duration,
    },
    /// One of `total` pieces of work of this kind is done.
    Progress {
        /// What kind, in the plural: `repositories scanned`.
        what: &'static str,
        /// How many are done.
        done: usize,
        /// How many there are.
        total: usize,
    },
}

/// Whoever listens; cheap to clone and to share between threads.
#[derive(Clone)]
pub struct Observer(Arc<dyn Fn(Event) + Send + Sync>);

impl Observer {
    /// An observer that hands every event to `listener`.
    pub fn new(listener: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    /// Nobody listens.
    pub fn nobody() -> Self {
        Self::new(|_| {})
    }

    /// Tells an event.
    pub fn tell(&self, event: Event) {
        (self.0)(event);
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Observer")
    }
}
