//! Versions and ranges as Masterminds/semver v3.5 reads them, and the looser versions of fluxcd/pkg/version v0.16.

mod constraint;
mod version;

pub use constraint::{ConstraintError, Constraints, Verdict};
pub use version::{Version, VersionError, check_metadata, check_prerelease};
