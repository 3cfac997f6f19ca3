//! One round from the objects to the previews: what is redone whole when a push has lost a race.

use crate::controllers::flux::ObjectKey;
use crate::failure::Failure;

use super::checkout::Checkouts;
use super::request::{Overrides, Request};
use super::session::Session;
use super::stages::{Inputs, Preview};
use super::{DryRun, decide, dry_run, fetch, load, preview};

/// What a round gave.
#[derive(Debug)]
pub struct Round {
    /// What was loaded.
    pub inputs: Inputs,
    /// The files of each automation.
    pub checkouts: Checkouts,
    /// What each automation would do, in order.
    pub previews: Vec<Preview>,
    /// Remarks for the user.
    pub notes: Vec<String>,
}

/// Goes from the objects to the previews: of all automations of the run, or again of one of them, `only` of what was loaded before.
///
/// # Errors
///
/// The cluster can't be asked, or a flag makes no sense.
pub fn round(
    request: &Request,
    overrides: &Overrides,
    only: Option<(&ObjectKey, &Inputs)>,
    session: &Session,
) -> Result<Round, Failure> {
    // Manifests stay what they were; standard input can't even be read twice.
    let mut inputs = match only {
        Some((_, before)) if !before.live => before.clone(),
        _ => load(request, session)?,
    };
    if let Some((only, _)) = only {
        inputs.automations = vec![only.clone()];
    }
    inputs.override_with(overrides);
    let (scans, checkouts) = fetch(request, &inputs, session)?;
    let decisions = decide(request, &inputs, &scans, session)?;
    let previews = preview(request, &inputs, &decisions, &checkouts)?;
    Ok(Round {
        inputs,
        checkouts,
        previews,
        notes: scans.notes,
    })
}

impl Round {
    /// What the API server says of each preview, in order.
    ///
    /// # Errors
    ///
    /// As [`dry_run`].
    pub fn dry_run(
        &self,
        default_namespace: &str,
        session: &Session,
    ) -> Result<Vec<DryRun>, Failure> {
        let (inputs, checkouts) = (&self.inputs, &self.checkouts);
        dry_run(
            inputs,
            checkouts,
            &self.previews,
            default_namespace,
            session,
        )
    }
}

impl Inputs {
    /// Puts into the automations of the run what is asked for instead.
    fn override_with(&mut self, overrides: &Overrides) {
        for key in &self.automations {
            let Some(automation) = self.objects.automations.get_mut(key) else {
                continue;
            };
            let Some(git) = &mut automation.spec.git else {
                continue;
            };
            if let Some(author) = &overrides.author {
                git.commit.author = author.clone();
            }
            if overrides.unsigned {
                git.commit.signing_key = None;
            }
            if let Some(branch) = &overrides.push_branch {
                git.push.get_or_insert_default().branch = branch.clone();
            }
        }
    }
}
