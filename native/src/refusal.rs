//! Why a request was not taken: the one list of reasons, which each transport puts into its own words.

use std::fmt;

use crate::keyring::Scheme;
use crate::wire::Bad;

#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// The same bytes will be refused again.
    Never(String),
    /// The same bytes may be taken after `seconds`.
    Later { message: String, seconds: f64 },
    /// More bytes than the limit, before or after decompression.
    TooLarge(String),
    /// The sender did not finish its request in time.
    TooSlow,
    /// A content coding that nobody here reads.
    Coding(String),
    /// Nobody who is known sends this; how one would have to make oneself known.
    Stranger(Scheme),
    /// The sender is known, but may not send.
    Forbidden,
}

impl Refusal {
    pub fn later(message: impl Into<String>, seconds: f64) -> Self {
        Self::Later {
            message: message.into(),
            seconds,
        }
    }
}

impl From<Bad> for Refusal {
    fn from(bad: Bad) -> Self {
        Self::Never(bad.message)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never(message) | Self::TooLarge(message) | Self::Later { message, .. } => f.write_str(message),
            Self::Stranger(_) => f.write_str("authentication is needed: there is no credential, or it is not known here"),
            Self::Forbidden => f.write_str("this credential may not write: its scopes do not name it"),
            Self::TooSlow => f.write_str("the request did not arrive in time"),
            Self::Coding(coding) => write!(
                f,
                "content coding {coding:?} is not supported: send gzip, zstd, deflate or identity"
            ),
        }
    }
}
