//! The state of a bulk job, as a client would poll it.

use http::StatusCode;

use super::client::AccountClient;
use super::error::AccountError;

/// A job has at most 50 items; their rows together stay far below this.
const BYTES_MAX: usize = 1024 * 1024;
const MODE: &str = "x-generect-mode";

/// What a poll was answered.
#[derive(Clone, Debug)]
pub struct JobAnswer {
    /// Any status: 404 for a job that is older than a day, say.
    pub status: StatusCode,
    /// The whole body, in the clear.
    pub body: Vec<u8>,
    /// Whether the upstream says that it answers in test mode, where nothing is taken.
    pub says_test: bool,
}

impl AccountClient {
    /// Polls a job once: `/api/v1/email/find/bulk/<job id>/`.
    ///
    /// # Errors
    /// [`AccountError::Path`] for what is not plainly a path (a job's id is the upstream's text),
    /// and every error of a question but those of its status.
    pub async fn poll_job(&self, path: &str) -> Result<JobAnswer, AccountError> {
        if !is_plain(path) {
            return Err(AccountError::Path);
        }
        let any = |_| Ok(());
        let answered = self.transport.ask(path, &[], BYTES_MAX, any).await?;
        let mode = answered.headers.get(MODE);
        Ok(JobAnswer {
            status: answered.status,
            says_test: mode.is_some_and(|mode| mode.as_bytes().eq_ignore_ascii_case(b"test")),
            body: answered.body,
        })
    }
}

/// Whether every part of the path means itself, between single slashes.
fn is_plain(path: &str) -> bool {
    let Some(inner) = path
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix('/'))
    else {
        return false;
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    inner
        .split('/')
        .all(|part| !part.is_empty() && part != "." && part != ".." && part.bytes().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jobs_id_leads_nowhere_else() {
        assert!(is_plain("/api/v1/email/find/bulk/0c5e-4a/"));
        for wrong in [
            "",
            "/",
            "//",
            "api/v1/x/",
            "/api/v1/x",
            "/api/v1/../auth/api_tokens/",
            "/api/v1/./x/",
            "/api/v1//x/",
            "/api/v1/%2e%2e/x/",
            "/api/v1/x?a=/",
            "/api/v1/x#/",
            "/api/v1/a b/",
            "/api/v1/a\\b/",
            "/api/v1/ü/",
            "https://elsewhere.example/",
        ] {
            assert!(!is_plain(wrong), "{wrong}");
        }
    }
}
