//! The permanent names that entries are written under: teams, keys, budgets, operations.
//!
//! An id never changes its meaning; what a person calls the thing may. Ids are cheap to clone
//! (a counted pointer) because every call carries four of them.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, out)
            }
        }
    };
}

id!(
    /// Who pays.
    TeamId
);
id!(
    /// A secret's public name. Never the secret itself.
    KeyId
);
id!(
    /// A limit over a filter and a window.
    BudgetId
);
id!(
    /// One priced thing the upstream does, e.g. `search_realtime_leads`.
    OperationName
);
id!(
    /// A bulk job of the upstream, as the upstream names it (a UUID today).
    JobId
);
