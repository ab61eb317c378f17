//! Tests of the content of a timeline.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use proptest::prelude::*;

fn event(seq: u64, time: i64, event_type: &str, changes: &str) -> HistoryLine<'static> {
    let line = format!(
        r#"{{"seq":{seq},"type":"{event_type}","time":"{}","time_source":"time","received":"2025-10-09T08:53:20.000000Z",
        "profile":1,"subprofile":null,"database":1,"collection":null,"label":null,"changes":[{changes}]}}"#,
        crate::event::seconds_to_rfc3339(time)
    );
    serde_json::from_str(&line).unwrap()
}

fn change(field: &str, old: &str, new: &str, cause: &str) -> String {
    format!(r#"{{"field":"{field}","old":{old},"new":{new},"cause":"{cause}"}}"#)
}

#[test]
fn rows_have_what_was_before_and_what_came() {
    let mut timeline = Timeline::new(Scale::new(0, 480), None, None);
    timeline.take(&event(
        1,
        0,
        "create",
        &change("mail", "null", "\"a\"", "create"),
    ));
    timeline.take(&event(
        2,
        10,
        "update",
        &change(
            "mail",
            "\"a\"",
            "\"b\"",
            "unexplained\",\"since\":\"1970-01-01T00:00:00Z",
        ),
    ));
    timeline.take(&event(
        3,
        10,
        "update",
        &change("mail", "\"b\"", "\"c\"", "set"),
    ));
    timeline.take(&event(4, 20, "delete", ""));
    let timeline = timeline.finish();
    let row = &timeline.rows[0];
    assert_eq!(
        (timeline.events, timeline.changes, row.marks.len()),
        (4, 3, 3)
    );
    assert_eq!(row.before, Shown::Absent);
    assert_eq!(
        (row.marks[1].part, row.marks[1].count, row.marks[1].seq),
        (10, 2, 3)
    );
    assert_eq!(row.marks[1].cause, Some(Cause::Unexplained { since: 0 }));
    assert_eq!(row.marks[1].old.line(9), "a");
    assert_eq!(
        (&row.marks[2].new, row.marks[2].cause),
        (&Shown::Absent, None)
    );
}

#[test]
fn rows_and_marks_are_bounded() {
    let mut timeline = Timeline::new(Scale::new(0, 100_000), None, None);
    for time in 0..100_000_u32 {
        let field = format!("f{}", time % 97);
        let changes = change(&field, "\"a\"", &format!("\"{time}\""), "set");
        timeline.take(&event(u64::from(time) + 1, time.into(), "update", &changes));
    }
    let timeline = timeline.finish();
    assert_eq!(timeline.rows.len(), ROWS);
    assert!(timeline.marks() <= MARKS && timeline.is_cut());
    let changes: u64 = timeline
        .rows
        .values()
        .flat_map(|row| &row.marks)
        .map(|mark| u64::from(mark.count))
        .sum();
    assert_eq!(
        (changes, changes + timeline.left_out),
        (timeline.changes, 100_000)
    );
    let last = timeline.rows[0].marks.last().unwrap();
    assert_eq!(last.new.line(9), (99_999 / 97 * 97).to_string());
}

proptest! {
    #[test]
    fn marks_stay_in_order(times in proptest::collection::vec(-100_i64..1000, 0..400)) {
        let mut times = times;
        times.sort_unstable();
        let mut timeline = Timeline::new(Scale::new(0, 600), None, None);
        for (seq, time) in (1..).zip(&times) {
            timeline.take(&event(seq, *time, "update", &change("a", "\"x\"", "\"y\"", "set")));
        }
        let timeline = timeline.finish();
        for row in timeline.rows.values() {
            prop_assert!(row.marks.windows(2).all(|two| two[0].part < two[1].part));
        }
        prop_assert_eq!(timeline.changes, times.len() as u64);
    }
}
