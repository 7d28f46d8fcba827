//! What the guard is told from outside: read, checked as a whole, compiled.
//!
//! `file` is what may be written, every setting optional and unknown ones refused. `load` puts
//! the file and the environment together and fetches the secrets they point to. `validate`
//! looks at everything, gathers all complaints, and only then makes a [`Config`]. The rest of the
//! program sees no raw value, and no part of it is given the whole `Config`: the application
//! hands each part its own plain arguments.

mod complaint;
mod environment;
mod file;
mod load;
mod restart;
mod secret_source;
mod settings;
mod tree;
mod validate;
mod values;

pub use complaint::{Complaint, ConfigErrors};
pub use environment::Environment;
pub(crate) use load::read_file;
pub use load::{Declared, compile, declared, load, load_books};
pub use settings::{
    Account, Books, Breaker, Config, Floor, FloorAction, KeptAnswers, LedgerFile, Pace, Rate,
    Retry, Server, Slots, TeamSettings, Upstream,
};
pub use validate::is_id;
