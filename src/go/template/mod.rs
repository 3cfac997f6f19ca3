//! Go's text/template with Sprig's hermetic functions.
