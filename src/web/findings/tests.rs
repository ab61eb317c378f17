//! Tests of the text of findings.

#![allow(clippy::unwrap_used)]

use super::super::reader::Clock;
use super::*;

const READER: Reader<'static> = Reader {
    clock: Clock {
        zone: chrono_tz::Europe::Amsterdam,
        now: 1_760_000_000,
    },
    flags: " --data /d",
    titles: &(),
};

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_gap_says_what_would_explain_it() {
    let line = |kind: &str, within: &str| -> GapLine<'static> {
        let text = format!(
            r#"{{"kind":"{kind}","since":"2025-10-09T08:00:00Z","until":"2025-10-09T09:00:00Z","within_one":{within},
            "outer_since":"2025-10-08T00:00:00Z","outer_until":"2025-10-10T00:00:00Z","profiles":1,"subprofiles":2,
            "events":5,"changes":6,"by_chance":3,"fields":[{{"field":"<i>","changes":1}},{{"interest":"news","changes":1}}],
            "more_fields":true,"first_seq":7,"last_seq":9,"labels":[],"set_by":[{{"label":null,"changes":1,"calls":0}},
            {{"label":"crm","changes":2,"calls":1}}],"quiet":{{"since":"2025-10-09T08:10:00Z","until":"2025-10-09T08:50:00Z"}},
            "command":"profiletrail changes --field '<i>\u202e'"}}"#
        );
        serde_json::from_str(&text).unwrap()
    };
    has(
        &gap(&line("lost", "true"), &READER).into_string(),
        &[
            "&lt;i&gt;</bdi>",
            "interest</span>, and others",
            "6 changes of 1 profile and 2 subprofiles",
            "at one moment",
            "2025-10-09 10:00:00",
            "no label (1 change, but none of its calls are from this time), label <bdi>crm</bdi> (2 changes, 1 call from this time)",
            "No call at all from",
            "href=\"/event/7\"",
            "href=\"/event/9\"",
            "--field '&lt;i&gt;\\u{202e}' --data /d",
            "href=\"/changes?field=%3Ci%3E%E2%80%AE\"",
        ],
    );
    has(
        &gap(&line("lost", "false"), &READER).into_string(),
        &["at the beginning and at the end"],
    );
    let silent = gap(&line("silent_field", "null"), &READER).into_string();
    has(&silent, &["without a call that claims it", "2025-10-08"]);
    assert!(!silent.contains("Usually set"), "{silent}");
    has(
        &gap(&line("scattered", "null"), &READER).into_string(),
        &["Scattered"],
    );
}

#[test]
fn a_loop_says_who_writes_what_and_where_it_is_seen() {
    let group = |loops: u64, going_on: u64| -> LoopGroupLine<'static> {
        let text = format!(
            r#"{{"kind":"group","field":"a&b","labels":["crm",null],"unexplained":true,"loops":{loops},"going_on":{going_on},
            "changes":12,"first":"2025-10-09T08:00:00Z","last":"2025-10-09T09:00:00Z"}}"#
        );
        serde_json::from_str(&text).unwrap()
    };
    let one: LoopLine<'static> = serde_json::from_str(
        r#"{"kind":"turns","profile":1,"subprofile":2,"field":"a&b","changes":12,"first":"2025-10-09T08:00:00Z",
        "last":"2025-10-09T09:00:00Z","every":300,"going_on":true,"writers":[
        {"label":"crm","claimed":true,"changes":6,"values":[{"value":"<x>","changes":6}]},
        {"label":null,"claimed":false,"changes":6,"values":[{"value":"","changes":6}]}],
        "first_seq":3,"last_seq":14,"command":null}"#,
    )
    .unwrap();
    let text = unrest(&group(1, 1), Some(&one), &READER).into_string();
    has(
        &text,
        &[
            "12 changes back and forth</strong>",
            "It still goes on.",
            "label <bdi>crm</bdi> sets it to <span class=\"value\"><bdi>&lt;x&gt;</bdi>",
            "no label shows that it became <span class=\"nothing\">(empty)",
            "No call claims some of these changes.",
            "href=\"/profile/1/2?from=%401759996380&amp;to=%401760000820&amp;field=a%26b\"",
        ],
    );
    assert!(!text.contains("On a terminal"), "{text}");
    has(
        &unrest(&group(3, 2), None, &READER).into_string(),
        &[
            "12 changes back and forth, in 3 loops</strong>",
            "2 of them still go on.",
            "By calls with label <bdi>crm</bdi>, no label.",
        ],
    );
    has(
        &unrest(&group(3, 0), None, &READER).into_string(),
        &["It has stopped."],
    );
}

#[test]
fn where_nothing_stands_out_that_is_said() {
    let mut none = Findings {
        meaning: "m",
        none: "None at all.",
        command: "profiletrail loops",
        ..Findings::default()
    };
    let panel = none.panel(&[], &["<n>".to_owned()], &READER).into_string();
    has(&panel, &["None at all.", "&lt;n&gt;"]);
    assert!(!panel.contains("profiletrail loops"), "{panel}");
    none.further = 3;
    has(&none.panel(&[], &[], &READER).into_string(), &["3 more"]);
}
