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
    let limits = ScanLimits::within(Duration::from_secs(3));
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
    let limits = ScanLimits::within(Duration::from_secs(3));
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
    let limits = ScanLimits::within(Duration::from_secs(3));
    let fake = Fake::start(|asked| match asked.target.as_str() {
        "/v2/" => Reply::ok(""),
        _ => Reply::new(503, ""),
    });
    let error = within(&fake, limits);
    assert_eq!(error.kind(), RegistryErrorKind::TimedOut);
    // After 0 and 1 seconds; the third try would come after 4.
    assert_eq!(fake.lines().len(), 1 + 2);
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
    assert_eq!(listing.unwrap().tags, tags(&[]));
}

#[test]
fn more_tags_than_are_allowed_are_an_error_of_ours() {
    let fake = Fake::start(|_| Reply::ok(r#"{"tags": ["1", "2", "3"]}"#));
    let limits = ScanLimits {
        max_tags: 2,
        ..ScanLimits::within(TIMEOUT)
    };
    let error = within(&fake, limits);
    assert_eq!(error.kind(), RegistryErrorKind::TooManyTags);
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

/// Lists with all the patience that the scan's time allows.
fn patiently(fake: &Fake, timeout: Duration) -> Result<TagListing, RegistryError> {
    let limits = ScanLimits {
        patience: Patience::UntilTimeout,
        ..ScanLimits::within(timeout)
    };
    let access = RegistryAccess::default();
    run(registries().tags(&image(&fake.host()), &access, limits))
}

/// A registry whose lists are `refusal` so many times, then good.
fn at_last(times: usize, refusal: impl Fn() -> Reply + Send + Sync + 'static) -> Fake {
    let tries = AtomicUsize::new(0);
    Fake::start(move |asked| match asked.target.as_str() {
        "/v2/" => Reply::ok(""),
        _ if tries.fetch_add(1, Ordering::SeqCst) < times => refusal(),
        _ => Reply::ok(r#"{"tags": ["1"]}"#),
    })
}

#[test]
fn patience_outlasts_what_the_controller_gives_up_with() {
    // After 0, 1 and 4 seconds the controller gives up; the fourth try comes 4.5 to 7.5 seconds later.
    let fake = at_last(3, || Reply::new(503, "later"));
    let listing = patiently(&fake, Duration::from_secs(60)).unwrap();
    assert_eq!(listing.tags, tags(&["1"]));
    let error = listing.outlasted.unwrap();
    assert_eq!(error.kind(), RegistryErrorKind::Refused { status: 503 });
    assert_eq!(
        text(&fake, &error),
        "GET http://HOST/v2/team/app/tags/list?n=1000: unexpected status code 503 Service Unavailable: later"
    );
    assert_eq!(fake.lines().len(), 1 + 4);
}

#[test]
fn what_the_controller_would_manage_too_is_no_matter() {
    let fake = at_last(1, || Reply::new(429, "").header("Retry-After", "2"));
    let began = std::time::Instant::now();
    let listing = patiently(&fake, Duration::from_secs(60)).unwrap();
    assert_eq!(listing.outlasted, None);
    assert!(began.elapsed() >= Duration::from_secs(2));
}

#[test]
fn retry_after_is_kept_to_by_us_and_not_by_the_controller() {
    let fake = at_last(1, || {
        Reply::new(429, "")
            .header("Retry-After", "5")
            .header("RateLimit-Limit", "100;w=21600")
    });
    let began = std::time::Instant::now();
    let listing = patiently(&fake, Duration::from_secs(60)).unwrap();
    assert!(began.elapsed() >= Duration::from_secs(5));
    let error = listing.outlasted.unwrap();
    assert_eq!(error.kind(), RegistryErrorKind::RateLimited);
    assert_eq!(error.throttling().retry_after, Some(Duration::from_secs(5)));
    assert_eq!(error.throttling().limits, ["ratelimit-limit: 100;w=21600"]);
    assert_eq!(fake.lines().len(), 1 + 2);
}

#[test]
fn patience_that_is_longer_than_the_timeout_ends_at_once() {
    let fake = at_last(1, || Reply::new(429, "").header("Retry-After", "3600"));
    let began = std::time::Instant::now();
    let error = patiently(&fake, Duration::from_secs(60)).unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!(error.kind(), RegistryErrorKind::RateLimited);
    assert_eq!(
        error.throttling().retry_after,
        Some(Duration::from_secs(3600))
    );
    // The controller asks no more than three times, whatever it is told.
    let fake = at_last(2, || Reply::new(429, "").header("Retry-After", "3600"));
    let listing = run(registries().tags(
        &image(&fake.host()),
        &RegistryAccess::default(),
        ScanLimits::within(TIMEOUT),
    ));
    assert_eq!(listing.unwrap().tags, tags(&["1"]));
}

#[test]
fn a_token_that_needs_patience_is_one_that_the_controller_never_gets() {
    let tries = AtomicUsize::new(0);
    let fake = Fake::start(move |asked| match asked.target.as_str() {
        "/token" if tries.fetch_add(1, Ordering::SeqCst) == 0 => Reply::new(503, ""),
        "/token" => Reply::ok(r#"{"access_token": "good"}"#),
        _ if asked.authorization() == Some("Bearer good") => Reply::ok(r#"{"tags": ["1"]}"#),
        _ => Reply::new(401, "").header(
            "WWW-Authenticate",
            format!("Bearer realm=\"http://{}/token\"", asked.headers["host"]),
        ),
    });
    let limits = ScanLimits {
        patience: Patience::UntilTimeout,
        ..ScanLimits::within(TIMEOUT)
    };
    let login = access(RegistryLogin::IdentityToken {
        token: "refresh-me".into(),
        basic: None,
    });
    let listing = run(registries().tags(&image(&fake.host()), &login, limits)).unwrap();
    assert!(listing.cost.with_token);
    assert!(
        text(&fake, &listing.outlasted.unwrap()).ends_with("with Body length 0"),
        "{:?}",
        fake.lines()
    );
}

#[test]
fn a_host_that_is_dead_is_dead_for_all() {
    let pings = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&pings);
    let fake = Fake::start(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Reply::new(403, "go away")
    });
    let registries = registries();
    let access = RegistryAccess::default();
    let images: Vec<Repository> = (0..20)
        .map(|index| {
            let name = format!("{}/team/app{index}", fake.host());
            Reference::parse(&name).unwrap().repository
        })
        .collect();
    let limits = ScanLimits::within(TIMEOUT);
    run(async {
        let scans = images
            .iter()
            .map(|image| registries.tags(image, &access, limits));
        for outcome in futures_util::future::join_all(scans).await {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), RegistryErrorKind::Refused { status: 403 });
        }
    });
    assert_eq!(pings.load(Ordering::SeqCst), 1);
}

#[test]
fn pages_of_nothing_but_values_are_not_taken_apart() {
    let fake = Fake::start(|asked| match asked.target.as_str() {
        "/v2/" => Reply::ok(""),
        _ => {
            let mut body = br#"{"tags": ["#.to_vec();
            body.resize(20 << 20, b',');
            Reply::ok(body)
        }
    });
    let error = within(&fake, ScanLimits::within(Duration::from_secs(60)));
    assert_eq!(error.kind(), RegistryErrorKind::OurLimit);
    assert!(
        error
            .to_string()
            .ends_with("holds more than 4000000 values"),
        "{error}"
    );
}

#[test]
fn refusals_to_list_so_many_at_a_time_are_told_apart() {
    for (code, expected) in [
        ("TOO_MANY_TAGS_REQUESTED", RegistryErrorKind::PageTooLong),
        ("PAGINATION_NUMBER_INVALID", RegistryErrorKind::PageTooLong),
        ("OTHER", RegistryErrorKind::Refused { status: 400 }),
    ] {
        let body = format!(r#"{{"errors":[{{"code":"{code}","message":"max is 100"}}]}}"#);
        let fake = Fake::start(move |asked| match asked.target.as_str() {
            "/v2/" => Reply::ok(""),
            _ => Reply::new(400, body.clone()),
        });
        let error = within(&fake, ScanLimits::within(TIMEOUT));
        assert_eq!(error.kind(), expected);
        assert!(text(&fake, &error).ends_with(&format!("{code}: max is 100")));
    }
}
