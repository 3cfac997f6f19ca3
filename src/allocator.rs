//! Memory for programs that are linked with musl: the released ones for Linux.
//!
//! musl's own allocator is made to save memory, and takes two to three times as long for what is done here.

/// Doug Lea's allocator, in Rust.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;
