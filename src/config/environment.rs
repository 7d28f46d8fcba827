//! The environment, as far as the configuration looks at it.

use std::collections::BTreeMap;
use std::fmt;

/// A snapshot of environment variables. Not shown by `Debug`: some are secrets.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process whose names and values are text.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The variables that override settings: `GUARD__SERVER__LISTEN` and its sisters.
    pub(super) fn overrides(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .filter(|(name, _)| name.starts_with(OVERRIDE_PREFIX))
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The path of the setting that a variable overrides.
    pub(super) fn path_of(name: &str) -> String {
        let parts = name.strip_prefix(OVERRIDE_PREFIX).unwrap_or(name);
        parts.to_lowercase().replace("__", ".")
    }
}

/// What the name of an override begins with; the parts of a setting's path follow, with two
/// underscores between them.
const OVERRIDE_PREFIX: &str = "GUARD__";

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let pairs = variables.into_iter();
        Self(
            pairs
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Environment({} variables)", self.0.len())
    }
}
