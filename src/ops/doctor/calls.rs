//! What became of the calls: when the last came, and how many were of no use.

use super::words::{shell, span};
use super::{Finding, Signed};

/// After how long without an event it is told, in seconds, where no alarm is set.
const QUIET: i64 = 86_400;

/// By how many seconds this machine's clock and the sender's may differ.
const SKEW: i64 = 10;

/// How long ago the last event came.
pub(super) fn last_event(last: Option<i64>, now: i64, alert_after: Option<u64>) -> Finding {
    const CHECK: &str = "events";
    let way = "look in Copernica whether its webhooks have the addresses below and are switched on; \
               profiletrail stats shows when events came";
    let Some(last) = last else {
        return Finding::warning(CHECK, "no event has come yet", way);
    };
    let ago = now.saturating_sub(last);
    let what = format!("the last came {} ago", span(ago));
    match alert_after.map(|after| i64::try_from(after).unwrap_or(i64::MAX)) {
        Some(after) if ago > after => {
            let what = format!(
                "{what}, and the alarm is set to {} (--alert-after)",
                span(after)
            );
            Finding::problem(CHECK, what, way)
        }
        None if ago > QUIET => Finding::warning(CHECK, what, way),
        _ => Finding::ok(CHECK, what),
    }
}

/// How many calls could not be read within a day.
pub(super) fn rejected(count: u64, data: &str) -> Finding {
    const CHECK: &str = "rejected";
    match count {
        0 => Finding::ok(CHECK, "every call of the last 24 hours could be read"),
        count => Finding::warning(
            CHECK,
            format!("{count} of the last 24 hours could not be read, and are kept aside"),
            format!(
                "profiletrail rejected --since '24 hours ago' --data {} shows why",
                shell(data)
            ),
        ),
    }
}

/// Whether a server checks signatures.
pub(super) fn signatures(signed: Option<&Signed>) -> Finding {
    const CHECK: &str = "signatures";
    match signed {
        Some(_) => Finding::ok(CHECK, "they are checked"),
        None => Finding::warning(
            CHECK,
            "they are not checked: whoever reaches the server can add events",
            "set PROFILETRAIL_COPERNICA_ID=account_1234 and PROFILETRAIL_PUBLIC_HOST=hooks.example.com \
             in /etc/profiletrail.env (or --copernica-id and --public-host), and start it again",
        ),
    }
}

/// How many signed calls were refused since the server's start.
pub(super) fn refused(signed: &Signed) -> Finding {
    const CHECK: &str = "refused";
    let told: Vec<String> = signed
        .refused
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| format!("{reason} {count}"))
        .collect();
    if told.is_empty() {
        return Finding::ok(CHECK, "no signature was refused since the server's start");
    }
    Finding::warning(
        CHECK,
        format!("since the server's start: {}", told.join(", ")),
        "strangers' calls are refused so, and need no care; if Copernica's own are, see to the checks of clock, \
         dns and public, and to --copernica-id",
    )
}

/// The clock against the last signed call's date.
pub(super) fn clock(signed: Option<&Signed>) -> Finding {
    const CHECK: &str = "clock";
    match signed.and_then(|signed| signed.last_age) {
        None => Finding::unknown(
            CHECK,
            "no signed call has come to compare it with",
            Some("timedatectl tells whether it is kept right".to_owned()),
        ),
        Some(age) if (-SKEW..=SKEW).contains(&age) => Finding::ok(
            CHECK,
            format!(
                "the last signed call's date was {} off",
                span(age.saturating_abs())
            ),
        ),
        Some(age) => {
            let side = if age < 0 { "ahead of" } else { "behind" };
            Finding::warning(
                CHECK,
                format!(
                    "the last signed call's date was {} {side} this machine's clock: calls are refused past --max-age",
                    span(age.saturating_abs())
                ),
                "timedatectl set-ntp true, unless it was an old call that was sent again",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn silence_is_told_by_its_length() {
        let found = |ago: i64, alert| last_event(Some(1_000_000 - ago), 1_000_000, alert).result;
        assert_eq!(last_event(None, 0, None).result, Verdict::Warning);
        assert_eq!(found(86_400, None), Verdict::Ok);
        assert_eq!(found(86_401, None), Verdict::Warning);
        assert_eq!(found(86_401, Some(100_000)), Verdict::Ok);
        assert_eq!(found(3_601, Some(3_600)), Verdict::Problem);
        assert_eq!(found(-5, None), Verdict::Ok);
        assert_eq!(
            last_event(Some(i64::MIN), i64::MAX, None).result,
            Verdict::Warning
        );
    }

    #[test]
    fn a_server_open_to_everybody_is_told() {
        assert_eq!(signatures(None).result, Verdict::Warning);
        assert_eq!(signatures(Some(&Signed::default())).result, Verdict::Ok);
    }

    #[test]
    fn calls_of_no_use_are_told() {
        assert_eq!(rejected(0, "d").result, Verdict::Ok);
        let found = rejected(3, "a b");
        assert_eq!(found.result, Verdict::Warning);
        assert!(found.fix.unwrap().contains("--data 'a b'"));
        let mut signed = Signed {
            last_age: None,
            refused: vec![("no_signature".to_owned(), 0)],
        };
        assert_eq!(refused(&signed).result, Verdict::Ok);
        signed.refused.push(("digest".to_owned(), 2));
        let found = refused(&signed);
        assert_eq!(found.result, Verdict::Warning);
        assert_eq!(found.what, "since the server's start: digest 2");
    }

    #[test]
    fn the_clock_is_held_against_the_senders() {
        let of = |last_age| {
            clock(Some(&Signed {
                last_age,
                refused: Vec::new(),
            }))
        };
        assert_eq!(clock(None).result, Verdict::Unknown);
        assert_eq!(of(None).result, Verdict::Unknown);
        assert_eq!(of(Some(-10)).result, Verdict::Ok);
        let found = of(Some(11));
        assert_eq!(found.result, Verdict::Warning);
        assert!(found.what.contains("11 seconds behind"), "{found:?}");
        assert!(of(Some(i64::MIN)).what.contains("ahead of"));
    }
}
