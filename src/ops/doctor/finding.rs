//! What a check comes to.

use serde::Serialize;

/// How well something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It could not be found out, or does not concern this server.
    Unknown,
    /// It works, and may not for long.
    Warning,
    /// It does not work.
    Problem,
}

/// What a check came to, a line of `doctor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was checked: one word, the same in every version.
    pub check: &'static str,
    /// How well it is.
    pub result: Verdict,
    /// What was found, for people.
    pub what: String,
    /// What to do, beginning with the next command to type where there is one.
    pub fix: Option<String>,
}

impl Finding {
    /// It is as it should be.
    pub fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, what.into(), None)
    }

    /// It could not be found out; and how it can be, if there is a way.
    pub fn unknown(check: &'static str, what: impl Into<String>, fix: Option<String>) -> Self {
        Self::new(check, Verdict::Unknown, what.into(), fix)
    }

    /// It works, and may not for long.
    pub fn warning(check: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(check, Verdict::Warning, what.into(), Some(fix.into()))
    }

    /// It does not work.
    pub fn problem(check: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(check, Verdict::Problem, what.into(), Some(fix.into()))
    }

    const fn new(check: &'static str, result: Verdict, what: String, fix: Option<String>) -> Self {
        Self {
            check,
            result,
            what,
            fix,
        }
    }
}
