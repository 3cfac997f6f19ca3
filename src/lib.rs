//! `kubectl imageauto` repeats on the client what Flux's image controllers decide, and shows it.
//!
//! Every command is the same pipeline, stopped at a different place; read [`pipeline`] first.
//! Each folder has one rule, held by `tests/architecture.rs`:
//!
//! * [`controllers`]: pure; mirrors image-reflector-controller and image-automation-controller.
//! * [`go`]: pure, ignorant of Flux; behaviours of Go that decisions hang on.
//! * [`yaml`]: pure, ignorant of Flux; the YAML dialect of kyaml, bytes to bytes.
//! * [`facts`]: what was learned from the outside, as plain structs.
//! * [`findings`]: pure; one function per finding id.
//! * [`io`]: fetches and stores; decides nothing, prints nothing.
//! * [`render`]: finished values and a writer in, bytes out.
//! * [`commands`]: flags to settings to pipeline to render.

mod allocator;
pub mod commands;
pub mod controllers;
pub mod exit_code;
pub mod facts;
pub mod failure;
pub mod findings;
pub mod go;
pub mod io;
pub mod pipeline;
pub mod render;
pub mod yaml;

pub use commands::run;
