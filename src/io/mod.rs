//! Fetches and stores; decides nothing, prints nothing, knows no flags.
