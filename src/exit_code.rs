//! Exit codes as named constants.
