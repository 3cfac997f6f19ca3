//! Registries, asked as go-containerregistry asks them inside image-reflector-controller 1.2.
//!
//! A scan is a ping of `/v2/`, an exchange of the login for a token where the registry wants one, and the pages of the tag
//! list. Errors carry the text that the controller would print, so that what it says can be predicted.

mod answers;
mod authorization;
mod broken;
mod challenge;
mod error;
mod exchange;
mod pages;
mod ping;
mod scan;
mod throttling;
mod tls;
mod wire;

use std::time::Duration;

use crate::facts::registry::RegistryAccess;
use crate::go::reference::Repository;
use crate::io::observer::Observer;

pub use error::RegistryError;

pub use crate::facts::registry::{RegistryErrorKind, Throttling};

use scan::Scan;

pub(in crate::io) use broken::Broken;
pub(in crate::io) use wire::{Answer, Request, Wire};

/// How the registries are asked, whichever they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrySettings {
    /// How many requests may be under way to one host at a time; at least one.
    pub max_requests_per_host: usize,
}

impl Default for RegistrySettings {
    fn default() -> Self {
        Self {
            max_requests_per_host: 8,
        }
    }
}

/// How many tags an image may have unless something else is said.
pub const MAX_TAGS: usize = 1_000_000;

/// The bounds of one scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanLimits {
    /// How long it may take; the time that it waits for other scans of the same host doesn't count.
    pub timeout: Duration,
    /// How many tags may there be at most.
    pub max_tags: usize,
    /// How often a request is tried.
    pub patience: Patience,
}

/// How often a request is tried that is answered by 429 or 5xx, or whose connection is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Three times in all, whatever the registry says about waiting.
    AsController,
    /// As long as the scan may take, and not before the registry says.
    UntilTimeout,
}

impl ScanLimits {
    /// The usual bound of tags with the repository's own timeout, and the controller's patience.
    pub fn within(timeout: Duration) -> Self {
        Self {
            timeout,
            max_tags: MAX_TAGS,
            patience: Patience::AsController,
        }
    }
}

/// The tags of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagListing {
    /// The tags of all pages, as they were listed; duplicates stay.
    pub tags: Vec<String>,
    /// What was odd about it.
    pub warnings: Vec<ListingWarning>,
    /// What such a scan costs.
    pub cost: ScanCost,
    /// What the controller would have given up with, where more patience than its own was needed.
    pub outlasted: Option<RegistryError>,
}

/// What a scan costs a registry when a controller does it, which remembers nothing of the scan before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanCost {
    /// Pages of the list.
    pub pages: usize,
    /// Whether a token must be had first.
    pub with_token: bool,
    /// The limit that the registry tells, where it does: requests in a window of time.
    pub limit: Option<(u64, Duration)>,
}

/// Something odd about a list that is complete all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListingWarning {
    /// The next page was on another host, where it was fetched without credentials, as the controller does.
    PageOnAnotherHost {
        /// The registry's host and port.
        registry: String,
        /// The page's URL, without what may be secret in it.
        page: String,
    },
    /// A page was answered with success and yet tells errors; the controller sees only that it has no tags.
    ErrorsForTags {
        /// The page's URL, without what may be secret in it.
        page: String,
        /// `CODE: MESSAGE` of each.
        errors: Vec<String>,
    },
}

/// A client for the registries of one run: scans share connections, tokens and the bound of requests for each host.
#[derive(Debug)]
pub struct Registries {
    wire: Wire,
}

impl Registries {
    /// A client that tells every request to `observer`.
    pub fn new(settings: RegistrySettings, observer: Observer) -> Self {
        Self {
            wire: Wire::new(&settings, observer),
        }
    }

    /// Forgets which hosts could not be reached, before they are asked again some time later.
    pub fn forget_failures(&self) {
        self.wire.pings.forget();
    }

    /// Lists the tags of `image`.
    ///
    /// # Errors
    ///
    /// The registry refuses, can't be reached, takes too long or answers what can't be read; or the list goes beyond a
    /// bound of ours.
    pub async fn tags(
        &self,
        image: &Repository,
        access: &RegistryAccess,
        limits: ScanLimits,
    ) -> Result<TagListing, RegistryError> {
        let scan = Scan::new(&self.wire, image, access, access.insecure, limits);
        let mut listing = pages::list(&scan, limits.max_tags)
            .await
            .map_err(|error| error.without(&access.login))?;
        let outlasted = scan.outlasted();
        listing.outlasted = outlasted.map(|error| error.without(&access.login));
        Ok(listing)
    }

    /// Looks up the digest of the manifest or index that `tag` of `image` stands for, as `algorithm:hex`.
    ///
    /// As in the controller, plain http is allowed by the host's name only, whatever [`RegistryAccess::insecure`] says,
    /// and a registry that answers no `HEAD` has no digest.
    ///
    /// # Errors
    ///
    /// The registry refuses, can't be reached, takes too long or leaves out what is needed.
    pub async fn digest(
        &self,
        image: &Repository,
        tag: &str,
        access: &RegistryAccess,
        limits: ScanLimits,
    ) -> Result<String, RegistryError> {
        let scan = Scan::new(&self.wire, image, access, false, limits);
        pages::digest(&scan, tag)
            .await
            .map_err(|error| error.without(&access.login))
    }
}
