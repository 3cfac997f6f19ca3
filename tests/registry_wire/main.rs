//! The registry client against a fake registry: what goes over the wire, and what comes out of odd answers.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't prepare its case fails"
)]

mod bounds;
mod environment;
mod fake;
mod logins;
mod pages;
mod refusals;
mod secure;

use std::time::Duration;

use imageauto::facts::registry::{RegistryAccess, RegistryLogin};
use imageauto::go::reference::{Reference, Repository};
use imageauto::io::observer::Observer;
use imageauto::io::registry::{
    Patience, Registries, RegistryError, RegistrySettings, ScanLimits, TagListing,
};

use fake::Fake;

/// Long enough for the retries of the controller.
const TIMEOUT: Duration = Duration::from_secs(20);
const LIST: &str = "/v2/team/app/tags/list?n=1000";

fn registries() -> Registries {
    Registries::new(RegistrySettings::default(), Observer::nobody())
}

fn image(host: &str) -> Repository {
    Reference::parse(&format!("{host}/team/app"))
        .unwrap()
        .repository
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// The tags of `team/app` on the fake.
fn list(fake: &Fake, access: &RegistryAccess) -> Result<TagListing, RegistryError> {
    let limits = ScanLimits::within(TIMEOUT);
    run(registries().tags(&image(&fake.host()), access, limits))
}

fn list_anonymously(fake: &Fake) -> Result<TagListing, RegistryError> {
    list(fake, &RegistryAccess::default())
}

fn access(login: RegistryLogin) -> RegistryAccess {
    RegistryAccess {
        login,
        ..RegistryAccess::default()
    }
}

fn basic(username: &str, password: &str) -> RegistryLogin {
    RegistryLogin::Basic {
        username: username.into(),
        password: password.into(),
    }
}

/// `Basic` with `user:swordfish`.
const USER: &str = "Basic dXNlcjpzd29yZGZpc2g=";

fn user() -> RegistryAccess {
    access(basic("user", "swordfish"))
}

fn tags(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The controller's text, with the fake's address as `HOST`.
fn text(fake: &Fake, error: &RegistryError) -> String {
    error
        .controller_text()
        .expect("the controller would fail too")
        .replace(&fake.host(), "HOST")
}

#[test]
fn the_client_can_be_used_from_many_threads() {
    fn assert_send<T: Send>(_: T) {}
    let registries = registries();
    let (image, access) = (image("h.io"), RegistryAccess::default());
    assert_send(registries.tags(&image, &access, ScanLimits::within(TIMEOUT)));
    assert_send(registries.digest(&image, "1", &access, ScanLimits::within(TIMEOUT)));
}
