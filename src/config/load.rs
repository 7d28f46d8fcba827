//! From a path and the environment to a [`Config`], or to every mistake there is.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::complaint::{Complaint, Complaints, ConfigErrors};
use super::environment::Environment;
use super::secret_source::Fetched;
use super::settings::{Books, Config};
use super::{tree, validate};

/// Settings of some thousand keys have a hundredth of it, and all the roots that there are a fortieth.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// Reads, checks and compiles the configuration: what `serve` runs, and `check` too.
///
/// Without a path there are only defaults and the environment's overrides.
///
/// # Errors
///
/// Every mistake at once, each with its place. Only a file that cannot be read or is no TOML is a
/// mistake alone.
pub fn load(path: Option<&Path>, environment: &Environment) -> Result<Config, ConfigErrors> {
    compile(&text(path)?, environment)
}

/// The same from the text of a file.
///
/// # Errors
///
/// As [`load`].
pub fn compile(text: &str, environment: &Environment) -> Result<Config, ConfigErrors> {
    let mut complaints = Complaints::default();
    let file = tree::read(text, environment, &mut complaints)?;
    let fetched = Fetched::all(&file, environment, &mut complaints);
    validate::compile(&file, fetched, complaints)
}

/// Like [`load`], but leaves the secrets alone, the account's token and those of alerts: for commands that only read the books and
/// may be run by people who have no access to it.
///
/// # Errors
///
/// As [`load`], without what could be wrong with the secrets.
pub fn load_books(path: Option<&Path>, environment: &Environment) -> Result<Books, ConfigErrors> {
    let mut complaints = Complaints::default();
    let file = tree::read(&text(path)?, environment, &mut complaints)?;
    let config = validate::compile(&file, Fetched::nothing(), complaints)?;
    Ok(Books {
        ledger: config.ledger,
        budgets: config.budgets,
        teams: config.teams,
        keys: config
            .clients
            .into_iter()
            .map(|key| key.client.key)
            .collect(),
        catalogue: config.catalogue,
        prices: config.prices,
        source: config.reconciliation.source,
    })
}

/// The ids a configuration names, whether or not it is right otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// The teams.
    pub teams: BTreeSet<String>,
    /// The keys.
    pub keys: BTreeSet<String>,
}

/// Reads the ids only: for making the first key of a configuration that is not right without it.
///
/// # Errors
///
/// The file cannot be read or is no TOML.
pub fn declared(path: Option<&Path>, environment: &Environment) -> Result<Declared, ConfigErrors> {
    let file = tree::read(&text(path)?, environment, &mut Complaints::default())?;
    Ok(Declared {
        teams: file.team.into_iter().filter_map(|team| team.id).collect(),
        keys: file.key.into_iter().filter_map(|key| key.id).collect(),
    })
}

fn text(path: Option<&Path>) -> Result<String, ConfigErrors> {
    let Some(path) = path else {
        return Ok(String::new());
    };
    read_text(path).map_err(|error| {
        ConfigErrors::one(Complaint {
            path: String::new(),
            what: format!("{} cannot be read: {error}", path.display()),
            hint: "name the configuration with --config or GUARD_CONFIG".to_owned(),
        })
    })
}

/// Reads a text whole, as [`read_file`] does.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read_file(path)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text"))
}

/// Reads a file that settings name, unless it is longer than any that a person means: some have no end.
pub(crate) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let why = format!("it has more than {} MiB", FILE_BYTES_MAX >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}
