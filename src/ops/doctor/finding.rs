//! The result of a check, and how its text writes sizes, durations and paths.

use schemars::JsonSchema;
use serde::Serialize;

/// How well something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It could not be determined, or does not concern this server.
    Unknown,
    /// It works now, but may fail.
    Warning,
    /// It does not work.
    Problem,
}

/// The result of a check, a line of `doctor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// The check's name in the table of checks.
    pub check: &'static str,
    /// The result.
    pub result: Verdict,
    /// What was found, for people.
    pub what: String,
    /// The remedy, beginning with the next command to type if there is one.
    pub fix: Option<String>,
}

impl Finding {
    pub(super) fn ok(what: impl Into<String>) -> Vec<Self> {
        vec![Self {
            check: "",
            result: Verdict::Ok,
            what: what.into(),
            fix: None,
        }]
    }

    pub(super) fn unknown(what: impl Into<String>, fix: impl Into<String>) -> Vec<Self> {
        vec![Self::of(Verdict::Unknown, what, fix)]
    }

    pub(super) fn warning(what: impl Into<String>, fix: impl Into<String>) -> Vec<Self> {
        vec![Self::of(Verdict::Warning, what, fix)]
    }

    pub(super) fn problem(what: impl Into<String>, fix: impl Into<String>) -> Vec<Self> {
        vec![Self::of(Verdict::Problem, what, fix)]
    }

    /// A finding with a remedy; the table of checks adds the name.
    pub(super) fn of(result: Verdict, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            check: "",
            result,
            what: what.into(),
            fix: Some(fix.into()),
        }
    }
}

/// A duration in its largest unit: `3 days`. A negative one counts as zero.
pub(super) fn duration(seconds: i64) -> String {
    let units = [
        (365 * 86_400, "year"),
        (86_400, "day"),
        (3_600, "hour"),
        (60, "minute"),
    ];
    let unit = units.iter().find(|(length, _)| seconds >= 2 * *length);
    let (count, name) = match unit {
        Some((length, name)) => (seconds / length, *name),
        None => (seconds.max(0), "second"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {name}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_use_their_largest_unit() {
        let cases = [
            (-5, "0 seconds"),
            (1, "1 second"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (7_300, "2 hours"),
            (86_400, "24 hours"),
            (40 * 86_400, "40 days"),
            (800 * 86_400, "2 years"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text);
        }
    }
}
