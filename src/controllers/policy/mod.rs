//! ImagePolicy: which tag is latest.
