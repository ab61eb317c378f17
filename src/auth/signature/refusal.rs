//! Why a call is not accepted as Copernica's.

/// The reason. Its text helps the person who set up the sender, and reveals nothing to a
/// stranger: it never names the expected value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no `Signature`.
    #[error("it is not signed")]
    Unsigned,
    /// The `Signature` or a header it needs cannot be read.
    #[error("the signature cannot be read: {0}")]
    Malformed(&'static str),
    /// A required header occurs twice.
    #[error("{0} is sent twice")]
    Twice(&'static str),
    /// An algorithm other than RSA with SHA-256.
    #[error("the algorithm of the signature is not rsa-sha256")]
    Algorithm,
    /// A required header is not covered.
    #[error("the signature does not cover {0}")]
    NotCovered(&'static str),
    /// A covered header was not sent.
    #[error("the signature covers a header that was not sent")]
    NotSent,
    /// Another account.
    #[error("the account is not one of this receiver's")]
    Account,
    /// Another host.
    #[error("the host is not one of this receiver's")]
    Host,
    /// Too old: the date's age in seconds.
    #[error("the date is too long ago")]
    Stale(i64),
    /// From the future: the seconds until its date.
    #[error("the date is in the future")]
    Ahead(i64),
    /// The body is not the signed one.
    #[error("the digest does not match the body")]
    Digest,
    /// The body was not received whole, so its digest cannot be checked.
    #[error("the body is too long to be checked (--max-body)")]
    NotWhole,
    /// The key's name is not below the key domain.
    #[error("the key is not below the key domain")]
    KeyName,
    /// There is no such key, or it cannot be used.
    #[error("there is no such key")]
    NoKey,
    /// The key cannot be looked up now: the call may be sent again.
    #[error("the key cannot be looked up now; send it again later")]
    KeyUnknown,
    /// The signature is not the key's.
    #[error("the signature does not match")]
    Wrong,
    /// The same signed message was received before, as the event of this `seq`.
    #[error("it was sent before")]
    Replay(u64),
    /// The same signed message is being kept right now.
    #[error("the same call is in flight")]
    InFlight,
}

impl Refusal {
    /// The HTTP status of the answer.
    pub const fn status(self) -> u16 {
        match self {
            Self::KeyUnknown | Self::InFlight => 503,
            Self::NotWhole => 413,
            _ => 401,
        }
    }

    /// The label under which refusals are counted.
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
            Self::Replay(_) => "replay",
            Self::InFlight => "under_way",
        }
    }
}
