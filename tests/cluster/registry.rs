//! Images for the OCI registry: as little as a tag needs.

use serde_json::json;
use ureq::http::{Request, Response};

use super::ControlPlane;
use super::api::agent;

/// The config of every image here, `{}`, by its digest.
const CONFIG: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/// Pushes an image without layers under these tags of `repository`, each with a digest of its own.
pub fn push_tags<'a>(
    plane: &ControlPlane,
    repository: &str,
    tags: impl IntoIterator<Item = &'a str>,
) {
    let base = format!(
        "http://{}/v2/{repository}",
        plane.addresses.registry.address
    );
    let agent = agent();
    let send =
        |method: &str, url: &str, content_type: &str, body: String| -> Response<ureq::Body> {
            let request = Request::builder()
                .method(method)
                .uri(url)
                .header(
                    "Authorization",
                    format!("Basic {}", plane.addresses.registry.basic()),
                )
                .header("Content-Type", content_type)
                .body(body)
                .expect("the request is well formed");
            let answer = agent
                .run(request)
                .unwrap_or_else(|error| panic!("{method} {url}: {error}"));
            assert!(
                answer.status().is_success(),
                "{method} {url}: {}",
                answer.status()
            );
            answer
        };
    let upload = send(
        "POST",
        &format!("{base}/blobs/uploads/"),
        "application/octet-stream",
        String::new(),
    );
    let location = upload.headers()["Location"]
        .to_str()
        .expect("the upload's place is text")
        .to_owned();
    let separator = if location.contains('?') { '&' } else { '?' };
    send(
        "PUT",
        &format!("{location}{separator}digest={CONFIG}"),
        "application/octet-stream",
        "{}".to_owned(),
    );
    for tag in tags {
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": kind,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": CONFIG, "size": 2},
            "layers": [],
            "annotations": {"tag": tag},
        });
        send(
            "PUT",
            &format!("{base}/manifests/{tag}"),
            kind,
            manifest.to_string(),
        );
    }
}
