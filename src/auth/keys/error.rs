//! Why there is no key, in the three ways that a caller must tell apart.

use std::borrow::Cow;

/// Why a name gives no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// DNS says that the name does not exist, or has no TXT record.
    #[error("DNS has no key of this name")]
    Absent,
    /// DNS has a record there that is no key to verify with, and why: also a revoked key.
    #[error("the key's record cannot be used: {0}")]
    Unusable(Cow<'static, str>),
    /// DNS could not be asked, and why: the same call may be sent again (503).
    #[error("the key could not be looked up: {0}")]
    Unreachable(Cow<'static, str>),
}

impl KeyError {
    /// Whether asking again later may give a key.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable(_))
    }
}

/// Too much is being looked up: the same call may be sent again (503).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// As many names are being looked up as may be at one time.
    #[error("too many keys are being looked up")]
    Names,
    /// This asker's address waits for as many names as one may.
    #[error("this address has too many keys looked up at one time")]
    Asker,
    /// As many calls wait for keys as may.
    #[error("too many calls wait for keys")]
    Waiting,
    /// The ring has been stopped.
    #[error("keys are no longer looked up")]
    Stopped,
}
