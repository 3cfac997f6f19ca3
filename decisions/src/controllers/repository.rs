//! Mirrors `internal/controller/imagerepository_controller.go`, `internal/registry/helper.go` and the two tag stores of
//! image-reflector-controller 1.2: which tags exist.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::go::adler32::adler32;
use crate::go::json;
use crate::go::reference::{Reference, ReferenceError, Repository};
use crate::go::regexp::{self, Regexp};

/// What is excluded when nothing else is: the signatures that cosign stores as tags.
pub const DEFAULT_EXCLUSION: &str = r"^.*\.sig$";

/// Why `spec.image` of an ImageRepository is refused; displays as the controller's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// It starts with a URL scheme.
    #[error("image '{image}' should not include URL scheme; remove '{scheme}://'")]
    Scheme {
        /// The image.
        image: String,
        /// What stands before `://`.
        scheme: String,
    },
    /// It has a tag or a digest.
    #[error("image '{image}' should not include a tag; remove ':{rest}'")]
    Tag {
        /// The image.
        image: String,
        /// What stands between the first colon after the registry and the next.
        rest: String,
    },
    /// It is no image reference.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
}

/// A pattern of `spec.exclusionList` that can't be compiled; displays as the controller's text after `scan failed: `.
#[derive(Debug, thiserror::Error)]
#[error("failed to compile regex {pattern}: {why}")]
pub struct ExclusionError {
    /// The pattern.
    pub pattern: String,
    /// Go's reason.
    pub why: regexp::Error,
}

/// `status.canonicalImageName` for `spec.image`: registry and repository, e.g. `index.docker.io/library/alpine`.
///
/// # Errors
///
/// The image has a scheme, a tag or a digest, or is no image reference.
pub fn canonical_image_name(image: &str) -> Result<String, ImageError> {
    canonical_image(image).map(|repository| repository.to_string())
}

/// The registry and the repository on it that `spec.image` means.
///
/// # Errors
///
/// The image has a scheme, a tag or a digest, or is no image reference.
pub fn canonical_image(image: &str) -> Result<Repository, ImageError> {
    if let Some((scheme, _)) = image.split_once("://") {
        return Err(ImageError::Scheme {
            image: image.into(),
            scheme: scheme.into(),
        });
    }
    let repository = Reference::parse(image)?.repository;
    let path = image.strip_prefix(repository.registry()).unwrap_or(image);
    if let Some(rest) = path.split(':').nth(1) {
        return Err(ImageError::Tag {
            image: image.into(),
            rest: rest.into(),
        });
    }
    Ok(repository)
}

/// What a scan makes of the tags that a registry lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SortedTags {
    /// What the controller stores: the tags that no pattern matches, in descending order of their bytes.
    pub stored: Vec<String>,
    /// The others, in the order in which they were listed.
    pub excluded: Vec<ExcludedTag>,
}

/// A tag that a scan leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExcludedTag {
    /// The tag.
    pub tag: String,
    /// The first pattern of the exclusion list that matches it.
    pub pattern: String,
}

/// The tags that a scan stores: those that no pattern of the list matches, in descending order of their bytes.
///
/// An empty list stands for [`DEFAULT_EXCLUSION`].
///
/// # Errors
///
/// A pattern can't be compiled.
pub fn stored_tags(
    listed: &[String],
    exclusion_list: &[String],
) -> Result<Vec<String>, ExclusionError> {
    sorted_tags(listed, exclusion_list).map(|sorted| sorted.stored)
}

/// As [`stored_tags`], with what is left out and why.
///
/// # Errors
///
/// A pattern can't be compiled.
pub fn sorted_tags(
    listed: &[String],
    exclusion_list: &[String],
) -> Result<SortedTags, ExclusionError> {
    let default = [DEFAULT_EXCLUSION.to_owned()];
    let patterns = if exclusion_list.is_empty() {
        &default
    } else {
        exclusion_list
    };
    let compiled = patterns
        .iter()
        .map(|pattern| Regexp::compile(pattern).map_err(|why| refused(pattern, why)))
        .collect::<Result<Vec<_>, _>>()?;
    let mut matchers = Vec::with_capacity(compiled.len());
    for (regexp, pattern) in compiled.iter().zip(patterns) {
        let matcher = regexp.matcher(&[]).map_err(|why| refused(pattern, why))?;
        matchers.push((matcher, pattern));
    }
    let mut sorted = SortedTags::default();
    'tags: for tag in listed {
        for (matcher, pattern) in &mut matchers {
            if matcher.is_match(tag).map_err(|why| refused(pattern, why))? {
                sorted.excluded.push(ExcludedTag {
                    tag: tag.clone(),
                    pattern: pattern.clone(),
                });
                continue 'tags;
            }
        }
        sorted.stored.push(tag.clone());
    }
    sorted.stored.sort_by(|one, other| other.cmp(one));
    Ok(sorted)
}

fn refused(pattern: &str, why: regexp::Error) -> ExclusionError {
    ExclusionError {
        pattern: pattern.into(),
        why,
    }
}

/// `status.lastScanResult.revision` for the stored tags: the Adler-32 checksum of their JSON, in decimal.
pub fn revision(stored: &[String]) -> String {
    adler32(json::strings(stored).as_bytes()).to_string()
}

/// `status.lastScanResult.revision` where the controller runs with the `FluxStorage` feature gate.
pub fn sha256_revision(stored: &[String]) -> String {
    let mut hash = Sha256::new();
    for tag in stored {
        hash.update(tag.as_bytes());
        hash.update(b"\n");
    }
    let mut out = String::from("sha256:");
    for byte in hash.finalize() {
        // Writing to a String can't fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn name(image: &str) -> String {
        canonical_image_name(image).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn images_are_named_in_full() {
        assert_eq!(name("alpine"), "index.docker.io/library/alpine");
        assert_eq!(name("localhost/foo"), "index.docker.io/localhost/foo");
        assert_eq!(name("docker.io/org/app"), "index.docker.io/org/app");
        assert_eq!(
            name("registry.example.com:5000/team/app"),
            "registry.example.com:5000/team/app"
        );
    }

    #[test]
    fn images_with_more_than_a_name_are_refused() {
        assert_eq!(
            name("https://ghcr.io/org/app"),
            "image 'https://ghcr.io/org/app' should not include URL scheme; remove 'https://'"
        );
        assert_eq!(
            name("ghcr.io/org/app:1.0"),
            "image 'ghcr.io/org/app:1.0' should not include a tag; remove ':1.0'"
        );
        let digest = "0".repeat(64);
        assert_eq!(
            name(&format!("org/app@sha256:{digest}")),
            format!("image 'org/app@sha256:{digest}' should not include a tag; remove ':{digest}'")
        );
        assert_eq!(
            name(&format!("org/app:1@sha256:{digest}")),
            format!(
                "image 'org/app:1@sha256:{digest}' should not include a tag; remove ':1@sha256'"
            )
        );
        assert_eq!(name("Org/App"), "could not parse reference: Org/App");
    }

    #[test]
    fn signatures_are_excluded_unless_something_else_is() {
        let listed = owned(&["1.0", "1.0.sig", "10.0", "a", "1.0"]);
        assert_eq!(
            stored_tags(&listed, &[]).unwrap(),
            owned(&["a", "10.0", "1.0", "1.0"])
        );
        assert_eq!(
            stored_tags(&listed, &owned(&["^a$", "^10"])).unwrap(),
            owned(&["1.0.sig", "1.0", "1.0"])
        );
    }

    #[test]
    fn what_is_excluded_is_told_with_its_pattern() {
        let listed = owned(&["1.0", "1.0.sig", "dev-1", "dev-1.sig"]);
        let sorted = sorted_tags(&listed, &owned(&["^dev-", "sig$"])).unwrap();
        assert_eq!(sorted.stored, owned(&["1.0"]));
        let told: Vec<(&str, &str)> = sorted
            .excluded
            .iter()
            .map(|excluded| (excluded.tag.as_str(), excluded.pattern.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("1.0.sig", "sig$"),
                ("dev-1", "^dev-"),
                ("dev-1.sig", "^dev-")
            ]
        );
    }

    #[test]
    fn revisions_are_checksums() {
        assert_eq!(revision(&[]), adler32(b"[]").to_string());
        assert_eq!(
            sha256_revision(&[]),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
