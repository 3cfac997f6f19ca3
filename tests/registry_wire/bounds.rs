use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use imageauto::io::registry::RegistryErrorKind;

use super::fake::{Fake, Reply};
use super::*;

fn within(fake: &Fake, limits: ScanLimits) -> RegistryError {
    let access = RegistryAccess::default();
    run(registries().tags(&image(&fake.host()), &access, limits)).unwrap_err()
}

#[test]
fn a_registry_that_is_too_slow_runs_into_the_timeout() {
    let limits = ScanLimits::within(Duration::from_millis(700));
    let fake = Fake::start(|asked| match asked.target.as_str() {
        "/v2/" => Reply::ok(""),
        _ => Reply::ok("{}").late(Duration::from_secs(10)),
    });
    let error = within(&fake, limits);
    assert_eq!(error.kind(), RegistryErrorKind::TimedOut);
    assert_eq!(
        text(&fake, &error),
        "Get \"http://HOST/v2/team/app/tags/list?n=1000\": context deadline exceeded"
    );
}

#[test]
fn so_does_one_that_stops_in_the_middle() {
    let limits = ScanLimits::within(Duration::from_millis(700));
    let fake = Fake::start(|asked| match asked.target.as_str() {
        "/v2/" => Reply::ok(""),
        _ => Reply::ok(r#"{"tags": ["1""#)
            .cut_short()
            .then_waits(Duration::from_secs(5)),
    });
    let error = within(&fake, limits);
    assert_eq!(error.kind(), RegistryErrorKind::TimedOut);
    assert_eq!(text(&fake, &error), "context deadline exceeded");
}

#[test]
fn retries_end_with_the_timeout_too() {
    let limits = ScanLimits::within(Duration::from_millis(500));
    let fake = Fake::start(|asked| match asked.target.as_str() {
        "/v2/" => Reply::ok(""),
        _ => Reply::new(503, ""),
    });
    let error = within(&fake, limits);
    assert_eq!(error.kind(), RegistryErrorKind::TimedOut);
    assert_eq!(fake.lines().len(), 2);
}

#[test]
fn https_that_says_nothing_gives_way_to_http() {
    // What comes first by TLS is never answered.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut silent = Vec::new();
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let mut first = [0];
            if stream.peek(&mut first).unwrap() == 1 && first[0] == 0x16 {
                silent.push(stream);
                continue;
            }
            std::thread::spawn(move || {
                use std::io::{BufRead as _, Write as _};
                let lines = std::io::BufReader::new(&stream).lines();
                lines
                    .take_while(|line| !line.as_ref().unwrap().is_empty())
                    .count();
                let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
                (&stream).write_all(answer.as_bytes()).unwrap();
            });
        }
    });
    let limits = ScanLimits::within(TIMEOUT);
    let access = RegistryAccess::default();
    let listing = run(registries().tags(&image(&host), &access, limits));
    assert_eq!(listing.unwrap(), TagListing::default());
}

#[test]
fn more_tags_than_are_allowed_are_an_error_of_ours() {
    let fake = Fake::start(|_| Reply::ok(r#"{"tags": ["1", "2", "3"]}"#));
    let limits = ScanLimits {
        max_tags: 2,
        ..ScanLimits::within(TIMEOUT)
    };
    let error = within(&fake, limits);
    assert_eq!(error.kind(), RegistryErrorKind::OurLimit);
    assert_eq!(error.controller_text(), None);
    assert!(
        error.to_string().ends_with("has more than 2 tags"),
        "{error}"
    );
}

#[test]
fn bodies_of_any_length_are_not_read_to_their_end() {
    let fake = Fake::start(|asked| match asked.target.as_str() {
        "/v2/" => Reply::ok(vec![b'x'; 1 << 20]),
        _ => {
            let mut body = br#"{"tags": [""#.to_vec();
            body.resize(65 << 20, b'a');
            Reply::ok(body)
        }
    });
    let error = within(&fake, ScanLimits::within(Duration::from_secs(60)));
    assert_eq!(error.kind(), RegistryErrorKind::OurLimit);
    assert!(
        error.to_string().ends_with("is longer than 64 MiB"),
        "{error}"
    );
}

#[test]
fn a_host_gets_so_many_requests_at_a_time() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, seen) = (now.clone(), most.clone());
    let fake = Fake::start(move |_| {
        seen.fetch_max(counted.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(20));
        counted.fetch_sub(1, Ordering::SeqCst);
        Reply::ok("{}")
    });
    let settings = RegistrySettings {
        max_requests_per_host: 3,
    };
    let registries = Registries::new(settings, Observer::nobody());
    let access = RegistryAccess::default();
    let images: Vec<Repository> = (0..24)
        .map(|index| {
            let name = format!("{}/team/app{index}", fake.host());
            Reference::parse(&name).unwrap().repository
        })
        .collect();
    // The wait for others doesn't count: each scan takes a fraction of this, all of them take longer.
    let limits = ScanLimits::within(Duration::from_millis(2500));
    run(async {
        let scans = images
            .iter()
            .map(|image| registries.tags(image, &access, limits));
        for listing in futures_util::future::join_all(scans).await {
            listing.unwrap();
        }
    });
    let most = most.load(Ordering::SeqCst);
    assert!((2..=3).contains(&most), "{most} at a time");
}
