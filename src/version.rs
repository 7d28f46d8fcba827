//! What this binary is: its version, what it was built from, and by what.

/// The version in `Cargo.toml`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit it was built from, or `unknown`.
pub const COMMIT: &str = env!("GUARD_SOURCE_COMMIT");
/// Whether there were changes beside the commit: `clean`, `with changes`, `as released` (the builder
/// named the commit), `debug build` (nobody looked) or `unknown`.
pub const STATE: &str = env!("GUARD_SOURCE_STATE");
/// The compiler.
pub const RUSTC: &str = env!("GUARD_RUSTC");

/// All of it, for people.
pub const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit ",
    env!("GUARD_SOURCE_COMMIT"),
    " of ",
    env!("GUARD_SOURCE_DATE"),
    " (",
    env!("GUARD_SOURCE_STATE"),
    ")\n",
    env!("GUARD_RUSTC"),
    " for ",
    env!("GUARD_TARGET"),
);
