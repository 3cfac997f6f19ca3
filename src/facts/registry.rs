//! Recorded tag lists: what `tags -o json` wrote down, or a map from image to tags.

use std::collections::BTreeMap;

/// The tags of one image when they were listed, before any exclusion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedTags {
    /// The tags as listed.
    pub tags: Vec<String>,
    /// Tag to digest, where it was recorded.
    pub digests: BTreeMap<String, String>,
}

/// Recordings by canonical image name (`index.docker.io/library/alpine`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagRecording {
    /// One entry for each image.
    pub images: BTreeMap<String, RecordedTags>,
}
