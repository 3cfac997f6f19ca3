//! Tag lists page by page, and the digest of one tag.

use std::collections::HashSet;

use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, LINK,
};
use http::{HeaderMap, Method};

use super::answers::{self, Page, redacted};
use super::authorization::Session;
use super::broken::{Broken, host_name};
use super::error::RegistryError;
use super::exchange::{Fetched, Redirects, Trail, is_private};
use super::scan::Scan;
use super::throttling::{throttling, told_limit};
use super::wire::Request;
use super::{ListingWarning, TagListing};
use crate::go::text::quote;
use crate::go::url::Url;

/// How many tags a page may have; some registries refuse to list more at a time.
const PAGE_SIZE: usize = 1000;
/// How long the body of a page may be: a million tags of the usual length in one.
const LONGEST_PAGE: usize = 64 * 1024 * 1024;
/// How long all bodies may be together: a million tags of the greatest length.
const LONGEST_LIST: usize = 160 * 1024 * 1024;

/// How many values a page may hold; some registries list their manifests beside the tags.
const MOST_VALUES: usize = 4_000_000;

/// The kinds of manifests that a digest may be of, in the controller's order.
const MANIFESTS: [&str; 6] = [
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
];
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// The tags of all pages.
pub(super) async fn list(scan: &Scan<'_>, max_tags: usize) -> Result<TagListing, RegistryError> {
    let mut session = scan.open().await?;
    let mut listing = TagListing::default();
    listing.cost.with_token = session.with_token();
    let mut room = LONGEST_LIST;
    let mut seen = HashSet::new();
    let mut url = Url::parse(&format!(
        "{}://{}/v2/{}/tags/list?n={PAGE_SIZE}",
        scan.nominal_scheme(),
        scan.registry,
        scan.path
    ))
    .map_err(|error| RegistryError::bad_answer(error.to_string()))?;
    loop {
        if !seen.insert(url.to_string()) {
            return Err(RegistryError::endless(
                format!("the list of tags leads back to its page {}", redacted(&url)),
                format!(
                    "Get {}: {}",
                    quote(&url.to_string()),
                    Broken::deadline().text
                ),
            ));
        }
        let fetched = fetch_page(scan, &mut session, url).await?;
        let body = &fetched.answer.body;
        // Counted before anything is made of them.
        if memchr::memchr_iter(b',', body).count() > MOST_VALUES {
            return Err(RegistryError::our_limit(format!(
                "{} holds more than {MOST_VALUES} values",
                redacted(&fetched.url)
            )));
        }
        room = room.checked_sub(body.len()).ok_or_else(|| {
            RegistryError::our_limit(format!(
                "the list of the tags of {}/{} is longer than {} MiB",
                scan.registry,
                scan.path,
                LONGEST_LIST >> 20
            ))
        })?;
        let (page, next) = page(&fetched)?;
        if page.tags.is_empty() && !page.errors.is_empty() {
            listing.warnings.push(ListingWarning::ErrorsForTags {
                page: redacted(&fetched.url),
                errors: page.errors,
            });
        }
        listing.tags.extend(page.tags);
        listing.cost.pages += 1;
        if let Some(limit) = told_limit(&throttling(&fetched.answer.headers).limits) {
            listing.cost.limit = Some(limit);
        }
        if listing.tags.len() > max_tags {
            return Err(too_many(scan, max_tags));
        }
        let Some(next) = next else {
            return Ok(listing);
        };
        check_next(scan, &next, &mut listing.warnings).await?;
        url = next;
    }
}

fn too_many(scan: &Scan<'_>, max_tags: usize) -> RegistryError {
    RegistryError::too_many_tags(format!(
        "{}/{} has more than {max_tags} tags",
        scan.registry, scan.path
    ))
}

async fn fetch_page(
    scan: &Scan<'_>,
    session: &mut Session,
    url: Url,
) -> Result<Fetched, RegistryError> {
    let request = Request {
        method: Method::GET,
        url,
        headers: HeaderMap::new(),
        body: None,
        most: LONGEST_PAGE,
    };
    fetch(scan, session, request).await?.accepted()
}

/// The tags of a page, and the next one.
fn page(fetched: &Fetched) -> Result<(Page, Option<Url>), RegistryError> {
    let answer = &fetched.answer;
    let broken = answer.broken.as_ref();
    let page = match answers::page(&answer.body, broken.map(|broken| broken.text.as_str())) {
        Ok(page) => page,
        Err(_) if answer.cut => {
            return Err(RegistryError::our_limit(format!(
                "{} is longer than {} MiB",
                redacted(&fetched.url),
                LONGEST_PAGE >> 20
            )));
        }
        Err(why) => {
            return Err(match broken {
                Some(broken) if broken.text == why => broken.clone().into(),
                _ => RegistryError::bad_answer(why),
            });
        }
    };
    let next = match next_by_header(fetched)? {
        Some(next) => Some(next),
        None if page.next.is_empty() => None,
        None => Some(
            Url::parse(&page.next).map_err(|error| RegistryError::bad_answer(error.to_string()))?,
        ),
    };
    Ok((page, next))
}

async fn fetch(
    scan: &Scan<'_>,
    session: &mut Session,
    request: Request,
) -> Result<Fetched, RegistryError> {
    let mut trail = Trail::start(request, Redirects::Guarded)?;
    loop {
        let answer = session.send(scan, &mut trail.request).await;
        let answer = answer.map_err(|error| trail.named(error))?;
        let from = trail.request.url.authority();
        if let Some(fetched) = trail.take(answer)? {
            return Ok(fetched);
        }
        let next = &trail.request.url;
        if leads_inside(scan, &from, &next.authority()).await {
            return Err(RegistryError::our_limit(format!(
                "{from} redirects to {}, an address that isn't public, which is not followed",
                redacted(next)
            )));
        }
    }
}

/// The page that the first `Link` names, whatever its relation.
fn next_by_header(fetched: &Fetched) -> Result<Option<Url>, RegistryError> {
    let Some(link) = fetched.answer.header(&LINK).filter(|link| !link.is_empty()) else {
        return Ok(None);
    };
    let missing = |bracket: char| {
        RegistryError::bad_answer(format!(
            "failed to parse link header: missing '{bracket}' in: {link}"
        ))
    };
    let inner = link.strip_prefix('<').ok_or_else(|| missing('<'))?;
    let (target, _) = inner.split_once('>').ok_or_else(|| missing('>'))?;
    let target =
        Url::parse(target).map_err(|error| RegistryError::bad_answer(error.to_string()))?;
    Ok(Some(fetched.url.resolve(&target)))
}

/// Warns of a page on another host, and refuses one that leads from the outside to the inside.
async fn check_next(
    scan: &Scan<'_>,
    next: &Url,
    warnings: &mut Vec<ListingWarning>,
) -> Result<(), RegistryError> {
    let authority = next.authority();
    if authority.is_empty() || authority == scan.registry {
        return Ok(());
    }
    if leads_inside(scan, &scan.registry, &authority).await {
        return Err(RegistryError::our_limit(format!(
            "the list of tags goes on at {}, an address that isn't public, which is not followed from {}",
            redacted(next),
            scan.registry
        )));
    }
    let warning = ListingWarning::PageOnAnotherHost {
        registry: scan.registry.clone(),
        page: redacted(next),
    };
    let same_host = warnings.iter().any(|warning| match warning {
        ListingWarning::PageOnAnotherHost { page, .. } => {
            Url::parse(page).is_ok_and(|page| page.authority() == authority)
        }
        ListingWarning::ErrorsForTags { .. } => false,
    });
    if !same_host {
        warnings.push(warning);
    }
    Ok(())
}

/// Whether the way from one host to another leads from the outside to the inside.
async fn leads_inside(scan: &Scan<'_>, from: &str, to: &str) -> bool {
    let (from, to) = (host_name(from), host_name(to));
    from != to && is_inside(scan, to).await && !is_inside(scan, from).await
}

/// Whether a host is this machine, or one of a private network.
async fn is_inside(scan: &Scan<'_>, host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || scan.addresses(host).await.into_iter().any(is_private)
}

/// The digest of the manifest of `tag`.
pub(super) async fn digest(scan: &Scan<'_>, tag: &str) -> Result<String, RegistryError> {
    let mut session = scan.open().await?;
    let url = Url::parse(&format!(
        "{}://{}/v2/{}/manifests/{tag}",
        scan.nominal_scheme(),
        scan.registry,
        scan.path
    ))
    .map_err(|error| RegistryError::bad_answer(error.to_string()))?;
    let mut headers = HeaderMap::new();
    let accepted = HeaderValue::from_str(&MANIFESTS.join(",")).expect("media types are ASCII");
    headers.insert(ACCEPT, accepted);
    // Else the length would be that of a compressed body, or absent.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let request = Request {
        method: Method::HEAD,
        url: url.clone(),
        headers,
        body: None,
        most: 0,
    };
    let fetched = fetch(scan, &mut session, request).await?.accepted()?;
    let header = |name: &HeaderName| {
        fetched
            .answer
            .header(name)
            .filter(|value| !value.is_empty())
    };
    let missing = |method: &str, name: &str| {
        RegistryError::bad_answer(format!(
            "{method} {url}: response did not include {name} header"
        ))
    };
    header(&CONTENT_TYPE).ok_or_else(|| missing("HEAD", "Content-Type"))?;
    header(&CONTENT_LENGTH).ok_or_else(|| missing("GET", "Content-Length"))?;
    let digest = header(&CONTENT_DIGEST).ok_or_else(|| missing("HEAD", "Docker-Content-Digest"))?;
    check_digest(&digest).map_err(RegistryError::bad_answer)?;
    Ok(digest)
}

/// Whether a text is a digest that the controller takes; the error is its own.
fn check_digest(digest: &str) -> Result<(), String> {
    let (algorithm, hexadecimal) = digest.split_once(':').unwrap_or_default();
    if algorithm.is_empty() || hexadecimal.is_empty() {
        return Err(format!("cannot parse hash: {}", quote(digest)));
    }
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if let Some(byte) = hexadecimal.bytes().find(|byte| !is_digit(*byte)) {
        return Err(format!(
            "found non-hex character in hash: {}",
            char::from(byte)
        ));
    }
    if algorithm != "sha256" {
        return Err(format!("unsupported hash: {}", quote(algorithm)));
    }
    if hexadecimal.len() != 64 {
        return Err(format!(
            "wrong number of hex digits for {algorithm}: {hexadecimal}"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_checked_as_the_controller_does() {
        let digits = "0123456789abcdef".repeat(4);
        assert_eq!(check_digest(&format!("sha256:{digits}")), Ok(()));
        for (digest, expected) in [
            ("x", "cannot parse hash: \"x\""),
            ("sha256:", "cannot parse hash: \"sha256:\""),
            ("sha256:XY", "found non-hex character in hash: X"),
            ("sha512:00", "unsupported hash: \"sha512\""),
            ("sha256:00", "wrong number of hex digits for sha256: 00"),
        ] {
            assert_eq!(check_digest(digest), Err(expected.into()));
        }
    }
}
