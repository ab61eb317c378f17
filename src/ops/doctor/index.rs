//! The index, as a running server tells it.

use super::Finding;

/// How many events the index may be behind before it is told.
const BEHIND: u64 = 100_000;

/// Whether the index is up to date: the last event in it, and the last one.
pub(super) fn state(indexed: (u64, u64)) -> Finding {
    const CHECK: &str = "index";
    let (applied, last) = indexed;
    let behind = last.saturating_sub(applied);
    if behind < BEHIND {
        return Finding::ok(
            CHECK,
            format!("it has all {last} events, or will in a moment"),
        );
    }
    Finding::warning(
        CHECK,
        format!("it is being made: {applied} of {last} events are in it; questions wait"),
        "wait for it; calls are kept meanwhile",
    )
}

/// Whether the lookups are up to date: of which fields they are, the last event
/// in them, and the last one.
pub(super) fn lookup(fields: &[String], up_to: u64, last: u64) -> Finding {
    const CHECK: &str = "lookup";
    let fields = fields.join(", ");
    if last.saturating_sub(up_to) < BEHIND {
        return Finding::ok(
            CHECK,
            format!(
                "values of {fields} are looked up, of all {last} events, or will be in a moment"
            ),
        );
    }
    Finding::warning(
        CHECK,
        format!("the lookups of {fields} are being made: {up_to} of {last} events are in them"),
        "wait for it; find reads the log for the others meanwhile",
    )
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn an_index_that_is_made_is_told() {
        assert_eq!(state((0, 0)).result, Verdict::Ok);
        assert_eq!(state((5, 99_999)).result, Verdict::Ok);
        assert_eq!(state((5, 100_005)).result, Verdict::Warning);
        assert_eq!(state((9, 5)).result, Verdict::Ok);
        let fields = ["mail".to_owned()];
        assert_eq!(lookup(&fields, 5, 99_999).result, Verdict::Ok);
        assert_eq!(lookup(&fields, 5, 100_005).result, Verdict::Warning);
    }
}
