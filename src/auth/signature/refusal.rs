//! Why a call is not taken for one of Copernica's.

/// The reason. Its text helps whoever set the sender up, and tells a stranger
/// nothing that he did not send himself: never what was expected instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no `Signature`.
    #[error("it is not signed")]
    Unsigned,
    /// The `Signature` or a header it needs cannot be read.
    #[error("the signature cannot be read: {0}")]
    Malformed(&'static str),
    /// A header that decides is there twice.
    #[error("{0} is there twice")]
    Twice(&'static str),
    /// Another algorithm than RSA with SHA-256.
    #[error("the signature is not of the algorithm rsa-sha256")]
    Algorithm,
    /// A header that must be covered is not.
    #[error("the signature does not cover {0}")]
    NotCovered(&'static str),
    /// A header that is said to be covered is not there.
    #[error("the signature covers a header that was not sent")]
    NotSent,
    /// Another account.
    #[error("the account is not one of this receiver")]
    Account,
    /// Another host.
    #[error("the host is not one of this receiver")]
    Host,
    /// Too old, by so many seconds since its date.
    #[error("the date is too long ago")]
    Stale(i64),
    /// From the future, by so many seconds up to its date.
    #[error("the date is in the future")]
    Ahead(i64),
    /// Another body than the one that was signed.
    #[error("the digest is not that of the body")]
    Digest,
    /// The body was not taken whole, so nothing can be said of it.
    #[error("the body is too long to be checked")]
    NotWhole,
    /// The key is not Copernica's.
    #[error("the key is not below the domain of keys")]
    KeyName,
    /// There is no such key, or none that can be used.
    #[error("there is no such key")]
    NoKey,
    /// The key cannot be looked up now: the call may be sent again.
    #[error("the key cannot be looked up now; send it again later")]
    KeyUnknown,
    /// The signature is not by the key.
    #[error("the signature does not match")]
    Wrong,
    /// The same signed message was taken already.
    #[error("it was sent before")]
    Replay,
    /// The same signed message is being kept at this moment.
    #[error("the same call is under way")]
    UnderWay,
}

impl Refusal {
    /// The HTTP status of the answer.
    pub const fn status(self) -> u16 {
        match self {
            Self::KeyUnknown | Self::UnderWay => 503,
            Self::NotWhole => 413,
            _ => 401,
        }
    }

    /// The word under which refusals are counted.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Malformed(_) | Self::Twice(_) => "malformed",
            Self::Algorithm => "algorithm",
            Self::NotCovered(_) | Self::NotSent => "not_covered",
            Self::Account => "account",
            Self::Host => "host",
            Self::Stale(_) => "stale",
            Self::Ahead(_) => "ahead",
            Self::Digest => "digest",
            Self::NotWhole => "too_large",
            Self::KeyName => "key_name",
            Self::NoKey => "no_key",
            Self::KeyUnknown => "key_unknown",
            Self::Wrong => "wrong_signature",
            Self::Replay => "replay",
            Self::UnderWay => "under_way",
        }
    }
}
