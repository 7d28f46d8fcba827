//! Reads the request body strictly.
