//! Finished values and a writer in, bytes out.
