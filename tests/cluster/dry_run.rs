//! What `diff --dry-run=server` predicts against what source-controller and kustomize-controller then do, and against the API
//! server itself: one prediction, one push, and every live object compared.

mod arrival;
mod cases;
mod judge;
mod monorepo;
mod outcomes;

use super::control_plane;
