//! Promise 7 in every test: whatever a guard says, to whomever, shows no secret. The harness holds
//! each answer it reads, each line a process writes and each file it leaves against this.

use std::path::Path;

use generect_guard::simulator::{LIVE_TOKEN, TEST_TOKEN};

use super::Answered;

/// What every key's secret begins with, see [`secret_of`](super::secret_of).
const ANY_KEY: &str = "gg_secret-of-";

/// The secret that stands in these bytes, if one does.
fn shown(bytes: &[u8]) -> Option<&'static str> {
    [LIVE_TOKEN, TEST_TOKEN, ANY_KEY]
        .into_iter()
        .find(|secret| memchr::memmem::find(bytes, secret.as_bytes()).is_some())
}

/// No secret stands in what was said.
pub fn assert_silent(what: &str, bytes: &[u8]) {
    if std::thread::panicking() {
        return;
    }
    if let Some(secret) = shown(bytes) {
        let text = String::from_utf8_lossy(bytes);
        let line = text.lines().find(|line| line.contains(secret));
        panic!("{secret} is shown in {what}: {line:?}");
    }
}

/// No secret stands in a file of a ledger's folder. The settings beside it are the test's own words.
pub fn assert_files_silent(folder: &Path) {
    let Ok(files) = std::fs::read_dir(folder) else {
        return;
    };
    for path in files.map(|file| file.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("ledger.db") && path.is_file() {
            assert_silent(&name, &std::fs::read(&path).unwrap());
        }
    }
}

impl Answered {
    /// Itself, once its head and body were looked through.
    pub(super) fn silent(self) -> Self {
        for (name, value) in &self.headers {
            assert_silent("the name of a header", name.as_str().as_bytes());
            assert_silent(name.as_str(), value.as_bytes());
        }
        assert_silent("an answer", self.text.as_bytes());
        self
    }
}
