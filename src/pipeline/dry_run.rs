//! What the API server would say of what an update would apply: from the rewritten files of a preview to rows, one for each
//! object that differs. Nothing is persisted.

mod asking;
mod building;
mod change;
mod ground;
mod masking;
mod plain;
mod planning;
mod questions;

use crate::controllers::flux::ObjectKey;
use crate::exit_code;
use crate::facts::dry_run::{BuildTool, DryRunRow, ObjectIdentity, Outcome};
use crate::failure::Failure;
use crate::findings::{self, Finding};

use self::planning::Planner;
use super::checkout::Checkouts;
use super::session::Session;
use super::stages::{Inputs, Preview};

/// What the API server says of one automation's change.
#[derive(Clone, Debug, Default)]
pub struct DryRun {
    /// One for each object, and for each changed file of which no object could be had.
    pub rows: Vec<DryRunRow>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Remarks for the user.
    pub notes: Vec<String>,
    /// What may make the answer another than the controller's.
    pub warnings: Vec<String>,
    /// What built the kustomizations; none where nothing had to be built.
    pub tool: Option<BuildTool>,
    /// Our failures to find out.
    pub troubles: Vec<Failure>,
}

impl DryRun {
    /// The process's exit code for it: 8 where the server or the controller refuses something, 3 where we could not ask.
    pub fn exit_code(&self) -> u8 {
        let of_row = |row: &DryRunRow| match row.outcome {
            Outcome::Rejected | Outcome::Conflict => exit_code::REJECTED,
            _ if row.fails => exit_code::REJECTED,
            Outcome::Forbidden => exit_code::CLUSTER,
            _ => exit_code::FINE,
        };
        let rows = self.rows.iter().map(of_row);
        let troubles = self.troubles.iter().map(Failure::exit_code);
        rows.chain(troubles).max().unwrap_or(exit_code::FINE)
    }

    /// How many rows have an outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.rows
            .iter()
            .filter(|row| row.outcome == outcome)
            .count()
    }
}

/// Asks the session's cluster about every preview, in order; plain manifests that name no namespace count to
/// `default_namespace`.
///
/// # Errors
///
/// The cluster can't be asked at all, or the manifests contradict each other.
pub fn dry_run(
    inputs: &Inputs,
    checkouts: &Checkouts,
    previews: &[Preview],
    default_namespace: &str,
    session: &Session,
) -> Result<Vec<DryRun>, Failure> {
    let changing: Vec<&Preview> = previews
        .iter()
        .filter(|preview| !preview.files.is_empty())
        .collect();
    let mut results: Vec<DryRun> = previews.iter().map(|_| DryRun::default()).collect();
    if changing.is_empty() {
        return Ok(results);
    }
    let ground = ground::ground(inputs, &changing, session)?;
    let mut planner = Planner::new(inputs, session, &ground);
    let mut questions = Vec::new();
    for (index, preview) in previews.iter().enumerate() {
        let checkout = checkouts.of(&preview.key).and_then(|of| of.as_deref().ok());
        let Some(checkout) = checkout.filter(|_| !preview.files.is_empty()) else {
            continue;
        };
        let planned = planner.plan(preview, checkout)?;
        let asked = planned.questions.into_iter();
        questions.extend(asked.map(|question| (index, question)));
        results[index] = planned.result;
        let notes = ground.notes.iter().cloned();
        results[index].notes.splice(0..0, notes);
    }
    questions::ask_all(questions, default_namespace, session, &mut results)?;
    for result in &mut results {
        result.rows.sort_by_cached_key(order);
        result.findings = findings::apply::of_rows(&result.rows);
    }
    Ok(results)
}

/// Plain manifests last, and within a Kustomization definitions first.
fn order(row: &DryRunRow) -> (bool, Option<ObjectKey>, ObjectIdentity, String) {
    (
        row.kustomization.is_none(),
        row.kustomization.clone(),
        row.object.clone(),
        row.path.clone(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_row_gives_the_exit_code() {
        let row = |outcome, fails| DryRunRow {
            object: ObjectIdentity::default(),
            path: String::new(),
            line: None,
            kustomization: None,
            outcome,
            by: None,
            message: String::new(),
            fields: Vec::new(),
            fails,
        };
        let code = |rows: Vec<DryRunRow>| {
            DryRun {
                rows,
                ..DryRun::default()
            }
            .exit_code()
        };
        assert_eq!(code(Vec::new()), 0);
        assert_eq!(code(vec![row(Outcome::Changed, false)]), 0);
        assert_eq!(code(vec![row(Outcome::Forbidden, false)]), 3);
        assert_eq!(
            code(vec![
                row(Outcome::Forbidden, false),
                row(Outcome::Rejected, false)
            ]),
            8
        );
        assert_eq!(code(vec![row(Outcome::Forbidden, true)]), 8);
        assert_eq!(code(vec![row(Outcome::UnknownKind, false)]), 0);
        assert_eq!(code(vec![row(Outcome::Conflict, false)]), 8);
    }
}
