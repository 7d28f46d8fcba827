//! Reads one control of the body.
