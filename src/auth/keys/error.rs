//! Why there is no key.

use std::borrow::Cow;

/// Why a name has no usable key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// DNS answered that the name does not exist or has no TXT record.
    #[error("DNS has no key of this name")]
    Absent,
    /// The TXT record is not a usable key, and why; also a revoked key.
    #[error("the key's record cannot be used: {0}")]
    Unusable(Cow<'static, str>),
    /// DNS could not be asked, and why. The call may be sent again (503).
    #[error("the key could not be looked up: {0}")]
    Unreachable(Cow<'static, str>),
}

impl KeyError {
    /// Whether a later look-up may succeed.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unreachable(_))
    }
}

/// A look-up was not started. The call may be sent again (503).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// [`super::KeyConfig::max_look_ups`] names are being looked up.
    #[error("too many keys are being looked up")]
    LookUps,
    /// [`super::KeyConfig::max_waiting`] calls wait for this name.
    #[error("too many calls wait for this key")]
    Waiting,
    /// The ring has been stopped.
    #[error("keys are no longer looked up")]
    Stopped,
}
