//! Tokens of GitHub Apps for the clones of a run, each asked for once.

use std::sync::{Mutex, PoisonError};

use crate::controllers::git_access;
use crate::facts::git::{GitAccess, GitHubApp, GitLogin, without_secrets};
use crate::failure::{Failure, FailureKind};
use crate::io::git::CloneRequest;
use crate::io::github_app::{self, TokenError};

use super::checkout::CheckoutFailure;
use super::session::Session;

/// What was asked for so far: the app, the way to its API, and what came of it.
#[derive(Default)]
pub(super) struct Tokens(Mutex<Vec<Asked>>);

type Asked = (GitHubApp, GitAccess, Result<String, TokenError>);

impl Tokens {
    /// The request with a token of the app for a login; `request.access` has the certificates and the proxy on the way to its API.
    ///
    /// # Errors
    ///
    /// There is no token.
    pub fn logged_in(
        &self,
        app: &GitHubApp,
        request: &CloneRequest,
        session: &Session,
    ) -> Result<CloneRequest, CheckoutFailure> {
        let token = self.token(app, request, session)?;
        let password = token.map_err(|error| no_token(&request.url, &error))?;
        let mut request = request.clone();
        request.access.login = GitLogin::Basic {
            username: git_access::APP_USERNAME.into(),
            password,
        };
        Ok(request)
    }

    fn token(
        &self,
        app: &GitHubApp,
        request: &CloneRequest,
        session: &Session,
    ) -> Result<Result<String, TokenError>, CheckoutFailure> {
        // Whoever wants the same one waits for it.
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let access = &request.access;
        let known = asked
            .iter()
            .find(|(known, by, _)| known == app && by == access);
        if let Some((_, _, token)) = known {
            return Ok(token.clone());
        }
        let limit = request.timeout.min(session.left());
        let asking = github_app::token(app, access, session.now, limit, &session.observer);
        let token = session
            .wait(FailureKind::Git, "asking GitHub for a token", asking)
            .map_err(CheckoutFailure::Ours)?;
        asked.push((app.clone(), access.clone(), token.clone()));
        Ok(token)
    }
}

fn no_token(url: &str, error: &TokenError) -> CheckoutFailure {
    CheckoutFailure::NoToken {
        controllers: error.controllers.as_deref().map(git_access::no_token),
        by_server: error.by_server,
        ours: Failure::git(format!(
            "logging in to {} as a GitHub App: {error}",
            without_secrets(url)
        )),
    }
}
