//! Fetches the secrets that the configuration points to: the account's token, and what webhooks of
//! alerts need.
//!
//! No message repeats what was written or read: people do write the secret itself where
//! the name of its variable or file belongs.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::complaint::Complaints;
use super::environment::Environment;
use super::file::{self, UpstreamFile, WebhookFile};
use super::tree::item_name;
use crate::identity::Secret;

/// A token is tens of bytes long; anything above this is some other file.
const BYTES_MAX: u64 = 4096;

/// Every secret of a configuration.
pub(super) struct Fetched {
    /// The account's token.
    pub(super) token: Secret,
    /// Of each `[[alert]]`, in order; `None` if nobody asked for them.
    pub(super) webhooks: Option<Vec<WebhookSecrets>>,
}

/// What a webhook needs. Absent where there is none, or where it could not be had, which was
/// complained about.
#[derive(Default)]
pub(super) struct WebhookSecrets {
    /// The address, and the setting it was found by.
    pub(super) url: Option<(String, Secret)>,
    /// What messages are signed with.
    pub(super) secret: Option<Secret>,
}

impl Fetched {
    /// For commands that need no secret.
    pub(super) fn nothing() -> Self {
        Self {
            token: Secret::new(""),
            webhooks: None,
        }
    }

    /// Fetches everything, or complains.
    pub(super) fn all(
        file: &file::File,
        environment: &Environment,
        complaints: &mut Complaints,
    ) -> Self {
        let token = token(&file.upstream, environment, complaints);
        let mut webhooks = Vec::with_capacity(file.alert.len());
        for (index, alert) in file.alert.iter().enumerate() {
            let item = format!("alert.{}.webhook", item_name(alert.id.as_deref(), index));
            webhooks.push(match &alert.webhook {
                Some(webhook) => WebhookSecrets {
                    url: url(webhook, &item, environment, complaints),
                    secret: signing(webhook, &item, environment, complaints),
                },
                None => WebhookSecrets::default(),
            });
        }
        Self {
            token,
            webhooks: Some(webhooks),
        }
    }
}

/// Where a secret may be.
struct Places<'a> {
    /// What the settings are under: `upstream`.
    item: &'a str,
    /// What they begin with: `token`.
    name: &'a str,
    /// How people call it: `account's token`.
    what: &'a str,
    env: Option<&'a str>,
    file: Option<&'a str>,
}

/// What was found at a secret's places.
enum Found {
    /// The secret, and the setting it was found by.
    Text(String, String),
    /// Nothing, and that was complained about.
    Wrong,
    /// No place was named.
    Unnamed,
}

/// Reads a token, or complains and gives an empty one.
fn token(file: &UpstreamFile, environment: &Environment, complaints: &mut Complaints) -> Secret {
    let places = Places {
        item: "upstream",
        name: "token",
        what: "account's token",
        env: file.token_env.as_deref(),
        file: file.token_file.as_deref(),
    };
    match fetch(&places, environment, complaints) {
        Found::Text(path, token) => checked_token(&path, token, complaints),
        Found::Wrong => Secret::new(""),
        Found::Unnamed => {
            if !complaints.is_unread("upstream.token_file") {
                complaints.missing(
                    "upstream.token_env",
                    "name the environment variable that holds the account's token, or its file in \
                     token_file",
                );
            }
            Secret::new("")
        }
    }
}

/// The address of a webhook: written in the file, or fetched.
fn url(
    webhook: &WebhookFile,
    item: &str,
    environment: &Environment,
    complaints: &mut Complaints,
) -> Option<(String, Secret)> {
    let places = Places {
        item,
        name: "url",
        what: "webhook's address",
        env: webhook.url_env.as_deref(),
        file: webhook.url_file.as_deref(),
    };
    let path = format!("{item}.url");
    let found = fetch(&places, environment, complaints);
    match (&webhook.url, found) {
        (None, Found::Text(path, url)) => Some((path, Secret::new(url))),
        (Some(url), Found::Unnamed) => Some((path, Secret::new(url.0.clone()))),
        (Some(_), Found::Text(..)) => {
            complaints.error(
                path,
                "is written, and so is where else it is",
                "keep url, url_env or url_file",
            );
            None
        }
        (_, Found::Wrong) => None,
        (None, Found::Unnamed) => {
            let unread = ["url_env", "url_file"].iter();
            if !unread
                .map(|name| format!("{item}.{name}"))
                .any(|path| complaints.is_unread(&path))
            {
                complaints.missing(
                    path,
                    "write it, or name its environment variable in url_env or its file in url_file",
                );
            }
            None
        }
    }
}

/// What a webhook's messages are signed with.
fn signing(
    webhook: &WebhookFile,
    item: &str,
    environment: &Environment,
    complaints: &mut Complaints,
) -> Option<Secret> {
    let places = Places {
        item,
        name: "secret",
        what: "webhook's secret",
        env: webhook.secret_env.as_deref(),
        file: webhook.secret_file.as_deref(),
    };
    let Found::Text(path, secret) = fetch(&places, environment, complaints) else {
        return None;
    };
    let wrong = if secret.is_empty() {
        "the secret is empty"
    } else if secret.len() as u64 > BYTES_MAX {
        "this is far too long for a secret"
    } else {
        if secret.len() < SIGNING_BYTES_FEW {
            complaints.warning(
                path,
                "the secret is short: who guesses it can send such messages too",
                "take 32 random bytes, for example from `openssl rand -hex 32`",
            );
        }
        return Some(Secret::new(secret));
    };
    complaints.error(path, wrong, "give the secret and nothing else");
    None
}

/// Shorter secrets can be guessed by who has seen one message.
const SIGNING_BYTES_FEW: usize = 16;

fn fetch(places: &Places<'_>, environment: &Environment, complaints: &mut Complaints) -> Found {
    let Places { item, name, .. } = places;
    let env_path = format!("{item}.{name}_env");
    let file_path = format!("{item}.{name}_file");
    let (path, found) = match (places.env, places.file) {
        (Some(_), Some(_)) => {
            complaints.error(
                file_path,
                format!("{name}_env and {name}_file are both set"),
                "keep one of them",
            );
            return Found::Wrong;
        }
        (Some(variable), None) => {
            let found = from_environment(&env_path, variable, places, environment, complaints);
            (env_path, found)
        }
        (None, Some(file)) => {
            let found = from_file(&file_path, file, places, environment, complaints);
            (file_path, found)
        }
        (None, None) => return Found::Unnamed,
    };
    match found {
        Some(text) => Found::Text(path, text),
        None => Found::Wrong,
    }
}

fn from_environment(
    path: &str,
    variable: &str,
    places: &Places<'_>,
    environment: &Environment,
    complaints: &mut Complaints,
) -> Option<String> {
    let text = environment.get(variable).map(str::to_owned);
    if text.is_none() {
        complaints.error(
            path,
            "the environment has no variable of this name",
            format!("set it; the {} itself is never written here", places.name),
        );
    }
    text
}

fn from_file(
    path: &str,
    file: &str,
    places: &Places<'_>,
    environment: &Environment,
    complaints: &mut Complaints,
) -> Option<String> {
    let guarded = is_credential(file, environment);
    let read = || -> std::io::Result<(String, bool)> {
        let file = File::open(file)?;
        let open_to_others = !guarded && readable_by_others(&file.metadata()?);
        let mut text = String::new();
        file.take(BYTES_MAX + 1).read_to_string(&mut text)?;
        Ok((text, open_to_others))
    };
    match read() {
        Ok((text, open_to_others)) => {
            if open_to_others {
                complaints.warning(
                    path,
                    "the file can be read by others than its owner",
                    "chmod 600 it",
                );
            }
            // Editors and `echo` end a file with a line break that is not part of the secret.
            Some(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        Err(error) => {
            complaints.error(
                path,
                format!("the file cannot be read: {}", error.kind()),
                format!(
                    "name a file that holds the {} and nothing else",
                    places.what
                ),
            );
            None
        }
    }
}

/// Whether the file was put there by systemd for this service alone (`LoadCredential=`). Its mode shows
/// the bits of an access list that names only the service's user.
fn is_credential(file: &str, environment: &Environment) -> bool {
    let folder = environment.get("CREDENTIALS_DIRECTORY");
    folder.is_some_and(|folder| Path::new(file).starts_with(folder))
}

#[cfg(unix)]
fn readable_by_others(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn readable_by_others(_: &std::fs::Metadata) -> bool {
    false
}

fn checked_token(path: &str, token: String, complaints: &mut Complaints) -> Secret {
    let lower = token.to_ascii_lowercase();
    let complaint = if token.is_empty() {
        Some("the token is empty")
    } else if lower.starts_with("token ") || lower.starts_with("bearer ") {
        Some("the token begins with the word Token or Bearer, which the guard adds by itself")
    } else if token.len() as u64 > BYTES_MAX {
        Some("this is far too long for a token")
    } else if token.chars().any(char::is_whitespace) {
        Some("the token has a space or a line break in it")
    } else if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        Some("the token has letters in it that a header cannot carry")
    } else {
        None
    };
    match complaint {
        Some(what) => {
            complaints.error(path, what, "give the bare token");
            Secret::new("")
        }
        None => Secret::new(token),
    }
}
