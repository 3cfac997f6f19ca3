//! What Flux's image controllers decide and write, as pure functions: values in, values out.
//!
//! A package of its own, because it is built for speed where the rest of the program is built for size. Each folder has
//! one rule, held by the program's `tests/architecture.rs`:
//!
//! * [`controllers`]: pure; mirrors image-reflector-controller and image-automation-controller.
//! * [`go`]: pure, ignorant of Flux; behaviours of Go that decisions hang on.
//! * [`yaml`]: pure, ignorant of Flux; the YAML dialect of kyaml, bytes to bytes.
//! * [`facts`]: what was learned from the outside, as plain structs.

pub mod controllers;
pub mod facts;
pub mod go;
pub mod yaml;
