//! What is wrong with a configuration, told all at once.

use std::collections::BTreeSet;
use std::fmt;

/// One thing that is wrong, or that a person should look at.
///
/// Never carries the value of a secret: whoever writes one says what is wrong with it instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Which setting, e.g. `budget.growth-month.timezone`; empty if it is the file as a whole.
    pub path: String,
    /// What is wrong with it.
    pub what: String,
    /// What to write instead.
    pub hint: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(out, "{}: ", self.path)?;
        }
        out.write_str(&self.what)?;
        if self.hint.is_empty() {
            Ok(())
        } else {
            write!(out, "; {}", self.hint)
        }
    }
}

/// Every mistake of a configuration. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<Complaint>);

impl ConfigErrors {
    /// One mistake that keeps all others from being looked for, such as a file that is no TOML.
    pub(super) fn one(complaint: Complaint) -> Self {
        Self(vec![complaint])
    }

    /// The mistakes, in the order of the file's sections.
    pub fn complaints(&self) -> &[Complaint] {
        &self.0
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(out, "1 mistake in the configuration:")?,
            count => write!(out, "{count} mistakes in the configuration:")?,
        }
        for complaint in &self.0 {
            write!(out, "\n  {complaint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Gathers complaints while a configuration is read.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    errors: Vec<Complaint>,
    warnings: Vec<Complaint>,
    /// Settings whose value could not be read: that they are missing then is no news.
    unread: BTreeSet<String>,
}

impl Complaints {
    /// Notes a mistake.
    pub(super) fn error(
        &mut self,
        path: impl Into<String>,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.errors.push(Complaint {
            path: path.into(),
            what: what.into(),
            hint: hint.into(),
        });
    }

    /// Notes something to look at that does not stand in the way.
    pub(super) fn warning(
        &mut self,
        path: impl Into<String>,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.warnings.push(Complaint {
            path: path.into(),
            what: what.into(),
            hint: hint.into(),
        });
    }

    /// Notes a mistake in a setting's shape, after which the setting counts as not written.
    pub(super) fn unread(&mut self, complaint: Complaint) {
        self.unread.insert(complaint.path.clone());
        self.errors.push(complaint);
    }

    /// Notes that a setting was probably meant by something that could not be read.
    pub(super) fn also_unread(&mut self, path: String) {
        self.unread.insert(path);
    }

    /// Notes that a setting is missing, unless it was there and could not be read.
    pub(super) fn missing(&mut self, path: impl Into<String>, hint: impl Into<String>) {
        let path = path.into();
        if !self.is_unread(&path) {
            self.error(path, "is missing", hint);
        }
    }

    /// Whether the setting was there and could not be read.
    pub(super) fn is_unread(&self, path: &str) -> bool {
        self.unread.iter().any(|unread| {
            path.strip_prefix(unread.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    /// How many mistakes there are so far.
    pub(super) fn errors(&self) -> usize {
        self.errors.len()
    }

    /// The warnings, or every mistake if there is one.
    pub(super) fn finish(self) -> Result<Vec<Complaint>, ConfigErrors> {
        if self.errors.is_empty() {
            Ok(self.warnings)
        } else {
            Err(ConfigErrors(self.errors))
        }
    }
}
