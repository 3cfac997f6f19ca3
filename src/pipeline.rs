//! The story: load, scan, decide, rewrite, preview, commit.
