//! One place where errors get kind, hint and exit code.
