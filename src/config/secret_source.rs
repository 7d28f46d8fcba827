//! Fetches the account's token from where the configuration points to.
//!
//! No message repeats what was written or read: people do write the token itself where
//! the name of its variable or file belongs.

use std::fs::File;
use std::io::Read;

use super::complaint::Complaints;
use super::environment::Environment;
use super::file::UpstreamFile;
use crate::identity::Secret;

/// A token is tens of bytes long; anything above this is some other file.
const TOKEN_BYTES_MAX: u64 = 4096;

/// Reads the token, or complains and gives an empty one.
pub(super) fn token(
    file: &UpstreamFile,
    environment: &Environment,
    complaints: &mut Complaints,
) -> Secret {
    let found = match (&file.token_env, &file.token_file) {
        (Some(_), Some(_)) => {
            complaints.error(
                "upstream.token_file",
                "token_env and token_file are both set",
                "keep one of them",
            );
            return Secret::new("");
        }
        (Some(name), None) => from_environment(name, environment, complaints)
            .map(|token| ("upstream.token_env", token)),
        (None, Some(path)) => {
            from_file(path, complaints).map(|token| ("upstream.token_file", token))
        }
        (None, None) => {
            if !complaints.is_unread("upstream.token_file") {
                complaints.missing(
                    "upstream.token_env",
                    "name the environment variable that holds the account's token, or its file in \
                     token_file",
                );
            }
            None
        }
    };
    match found {
        Some((path, token)) => checked(path, token, complaints),
        None => Secret::new(""),
    }
}

fn from_environment(
    name: &str,
    environment: &Environment,
    complaints: &mut Complaints,
) -> Option<String> {
    let token = environment.get(name).map(str::to_owned);
    if token.is_none() {
        complaints.error(
            "upstream.token_env",
            "the environment has no variable of this name",
            "set it; the token itself is never written in the configuration",
        );
    }
    token
}

fn from_file(path: &str, complaints: &mut Complaints) -> Option<String> {
    const PATH: &str = "upstream.token_file";
    let read = || -> std::io::Result<(String, bool)> {
        let file = File::open(path)?;
        let open_to_others = readable_by_others(&file.metadata()?);
        let mut text = String::new();
        file.take(TOKEN_BYTES_MAX + 1).read_to_string(&mut text)?;
        Ok((text, open_to_others))
    };
    match read() {
        Ok((text, open_to_others)) => {
            if open_to_others {
                complaints.warning(
                    PATH,
                    "the file can be read by others than its owner",
                    "chmod 600 it",
                );
            }
            // Editors and `echo` end a file with a line break that is not part of the token.
            Some(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        Err(error) => {
            complaints.error(
                PATH,
                format!("the file cannot be read: {}", error.kind()),
                "name a file that holds the account's token and nothing else",
            );
            None
        }
    }
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

fn checked(path: &str, token: String, complaints: &mut Complaints) -> Secret {
    let lower = token.to_ascii_lowercase();
    let complaint = if token.is_empty() {
        Some("the token is empty")
    } else if lower.starts_with("token ") || lower.starts_with("bearer ") {
        Some("the token begins with the word Token or Bearer, which the guard adds by itself")
    } else if token.len() as u64 > TOKEN_BYTES_MAX {
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
