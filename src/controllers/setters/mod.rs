//! Mirrors image-automation-controller 1.2 `internal/update/setters.go`: what one automation run does to the files under its path.

pub mod changes;
pub mod discovery;
pub mod outcome;

pub use outcome::{
    Ignored, LocatedChange, Loss, LossKind, Marker, MarkerOutcome, ProblemFile, RunFailure,
    SetterPolicy, SourceFile, Update, WrittenFile,
};
