//! Readers of a ledger, opened beside its writer whenever one is wanted.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Reader, StoreError, open_reader};

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct OpenReader(Arc<Opener>);

type Opener = dyn Fn() -> Result<Box<dyn Reader>, StoreError> + Send + Sync;

impl OpenReader {
    /// Readers come from `open`, which may block.
    pub fn new(
        open: impl Fn() -> Result<Box<dyn Reader>, StoreError> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(open))
    }

    /// Those of a ledger's file.
    pub fn of_file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self::new(move || open_reader(&path))
    }

    /// A reader.
    ///
    /// # Errors
    /// What the store says.
    pub fn open(&self) -> Result<Box<dyn Reader>, StoreError> {
        (self.0)()
    }
}

impl fmt::Debug for OpenReader {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("OpenReader")
    }
}
