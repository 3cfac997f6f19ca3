//! What is wrong or surprising, each with evidence and remedy. Pure.
