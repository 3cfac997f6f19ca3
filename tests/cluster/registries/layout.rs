//! Images in a registry's own layout on disk: many tags at once, which would take minutes by its API.

use std::fs;
use std::path::Path;

use serde_json::json;
use sha2::{Digest as _, Sha256};

/// The config of every image here, `{}`.
const CONFIG: &[u8] = b"{}";

/// Writes an image without layers and lets these tags of `repository` stand for it; gives its digest.
pub fn write_tags(data: &Path, repository: &str, tags: impl IntoIterator<Item = String>) -> String {
    let root = data.join("docker/registry/v2");
    let config = write_blob(&root, CONFIG);
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": kind,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": CONFIG.len()},
        "layers": [],
    });
    let digest = write_blob(&root, manifest.to_string().as_bytes());
    let repository = root.join("repositories").join(repository);
    write_link(&repository.join("_layers"), &config);
    let manifests = repository.join("_manifests");
    write_link(&manifests.join("revisions"), &digest);
    for tag in tags {
        let current = manifests.join("tags").join(tag).join("current");
        fs::create_dir_all(&current).expect("the registry's folder is writable");
        fs::write(current.join("link"), &digest).expect("the registry's folder is writable");
    }
    digest
}

fn write_blob(root: &Path, content: &[u8]) -> String {
    let hexadecimal: String = Sha256::digest(content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let folder = root
        .join("blobs/sha256")
        .join(&hexadecimal[..2])
        .join(&hexadecimal);
    fs::create_dir_all(&folder).expect("the registry's folder is writable");
    fs::write(folder.join("data"), content).expect("the registry's folder is writable");
    format!("sha256:{hexadecimal}")
}

/// `FOLDER/sha256/HEX/link`.
fn write_link(folder: &Path, digest: &str) {
    let folder = folder.join(digest.replace(':', "/"));
    fs::create_dir_all(&folder).expect("the registry's folder is writable");
    fs::write(folder.join("link"), digest).expect("the registry's folder is writable");
}
