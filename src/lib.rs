//! `kubectl imageauto` repeats on the client what Flux's image controllers decide, and shows it.
//!
//! Every command is the same pipeline, stopped at a different place; read [`pipeline`] first.
//! Each folder has one rule, held by `tests/architecture.rs`:
//!
//! * [`controllers`], [`go`], [`yaml`] and [`facts`]: a package of their own, `decisions/`; pure.
//! * [`findings`]: pure; one function per finding id.
//! * [`io`]: fetches and stores; decides nothing, prints nothing.
//! * [`render`]: finished values and a writer in, bytes out.
//! * [`commands`]: flags to settings to pipeline to render.

mod allocator;
pub mod commands;
pub mod exit_code;
pub mod failure;
pub mod findings;
pub mod io;
pub mod pipeline;
pub mod render;

pub use commands::run;
pub use imageauto_decisions::{controllers, facts, go, yaml};
