//! The columns of every answer that is a table, on a terminal and as CSV.
//!
//! A new tabular query only declares its table here; any other only declares its CSV.
//! The names and the order of CSV columns are stable.

use super::csv::CsvColumns;
use super::grid::{Cell, Layout};
use super::history::push_signature_mark;
use super::table::{Column, Table};
use crate::format::{
    Change, Role, Side, Text, format_duration, key, plain, quoted, seconds_of, subject,
};
use crate::history::Value;
use crate::query::lines::{BlameLine, ChangesLine, ExportLine, FindLine, RejectedLine};
use crate::query::{ReconcileLine, UndoLine};

/// The most characters of a rejected body.
const MAX_BODY: usize = 200;

/// `changes`, and `incidents show`.
pub static CHANGES: Table<ChangesLine<'static>> = Table {
    csv: CsvColumns::new(
        "time seq type profile subprofile database collection label field interest old old_is new new_is cause since",
    ),
    columns: &[
        Layout::fixed("TIME").cell(|line, _| Cell::time(&line.time)),
        Layout::fixed("SEQ")
            .right()
            .cell(|line, _| Cell::seq(line.seq)),
        Layout::fixed("WHO").cell(|line, _| who(line.profile, line.subprofile)),
        Layout::elastic("LABEL", 5, 16)
            .drop_priority(1)
            .cell(|line, _| optional(line.label.as_deref())),
        Layout::fixed("CAUSE").cell(|line, _| {
            let role = match line.since {
                Some(_) => Role::Warning,
                None => Role::Plain,
            };
            Cell::of(role, plain(&line.cause))
        }),
        Layout::elastic("FIELD", 6, 24)
            .preferred_width(8)
            .cell(|line, _| subject(line.field.as_deref(), line.interest.as_deref()).into()),
        Layout::elastic("CHANGE", 12, usize::MAX)
            .preferred_width(24)
            .cell(|line, context| {
                let mut change = Change::new(line.old.as_ref(), &line.new);
                if let Some(since) = &line.since {
                    let since = format!("since {}", context.view.time(since));
                    change.suffix = Text::of(Role::Warning, since);
                }
                change.into()
            }),
    ],
};

/// `blame`.
pub static BLAME: Table<BlameLine<'static>> = Table {
    csv: CsvColumns::new("field interest value seq time type cause old old_is since"),
    columns: &[
        Layout::elastic("FIELD", 8, 32)
            .preferred_width(12)
            .cell(|line, _| subject(line.field.as_deref(), line.interest.as_deref()).into()),
        Layout::elastic("VALUE", 12, usize::MAX)
            .preferred_width(18)
            .cell(|line, context| {
                Side::new_value(&line.value)
                    .text(context.view.styles)
                    .into()
            }),
        Layout::fixed("AGE")
            .cell(|line, context| Cell::of(Role::Plain, context.view.age(&line.time, context.at))),
        Layout::fixed("SEQ")
            .right()
            .cell(|line, _| Cell::seq(line.seq)),
        Layout::fixed("TIME")
            .drop_priority(2)
            .cell(|line, _| Cell::time(&line.time)),
        Layout::elastic("TYPE", 6, 16)
            .drop_priority(3)
            .cell(|line, _| Cell::outside(&line.event_type)),
        Layout::fixed("CAUSE").cell(|line, _| {
            let role = match &*line.cause {
                "unexplained" => Role::Warning,
                _ => Role::Plain,
            };
            Cell::of(role, plain(&line.cause))
        }),
        Layout::fixed("SINCE")
            .drop_priority(4)
            .hide_empty()
            .cell(|line, context| {
                let since = line.since.as_ref().map(|since| context.view.time(since));
                Cell::of(Role::Warning, since.unwrap_or_default())
            }),
        Layout::elastic("WAS", 8, usize::MAX)
            .drop_priority(1)
            .cell(|line, context| {
                Side::old_value(line.old.as_ref())
                    .text(context.view.styles)
                    .into()
            }),
    ],
};

/// `find`.
pub static FIND: Table<FindLine<'static>> = Table {
    csv: CsvColumns::new(
        "profile subprofile database collection field interest value since since_seq cause until until_seq",
    ),
    columns: &[
        Layout::fixed("WHO").cell(|line, _| who(line.profile, line.subprofile)),
        Layout::fixed("DATABASE")
            .drop_priority(3)
            .hide_empty()
            .cell(|line, _| {
                let database = line.database.map(|number| number.to_string());
                Cell::of(Role::Plain, database.unwrap_or_default())
            }),
        Layout::elastic("FIELD", 5, 24)
            .drop_priority(2)
            .cell(|line, _| subject(line.field.as_deref(), line.interest.as_deref()).into()),
        Layout::elastic("VALUE", 8, usize::MAX)
            .preferred_width(20)
            .cell(|line, context| {
                Side::new_value(&line.value)
                    .text(context.view.styles)
                    .into()
            }),
        Layout::fixed("SINCE").cell(|line, _| Cell::time(&line.since)),
        Layout::fixed("UNTIL").cell(|line, _| match &line.until {
            Some(until) => Cell::time(until),
            None => Cell::of(Role::Time, "(still)"),
        }),
        Layout::fixed("FOR").cell(|line, context| {
            let until = match &line.until {
                Some(until) => seconds_of(until),
                None => Some(context.moment()),
            };
            let lasted = seconds_of(&line.since).zip(until);
            let lasted = lasted.map(|(since, until)| format_duration(until.saturating_sub(since)));
            Cell::of(Role::Plain, lasted.unwrap_or_default())
        }),
        Layout::fixed("CAUSE")
            .drop_priority(1)
            .cell(|line, context| match &*line.cause {
                // The value may be older than the event that shows it.
                unknown @ ("unexplained" | "first_seen" | "observed" | "baseline") => {
                    let narrow = context.view.is_narrow();
                    let more = if narrow { "" } else { " or earlier" };
                    Cell::of(Role::Warning, format!("{unknown}{more}"))
                }
                cause => Cell::outside(cause),
            }),
    ],
};

/// `export`.
pub static EXPORT: Table<ExportLine<'static>> = Table {
    csv: CsvColumns::new(
        "seq received remote label type time time_source profile subprofile database collection created modified \
         parameters fields interests extra verified body body_base64 evidence observed baseline",
    ),
    columns: &[
        Layout::fixed("SEQ")
            .right()
            .cell(|line, _| Cell::seq(line.seq)),
        Layout::fixed("TIME").cell(|line, _| Cell::time(&line.time)),
        Layout::elastic("TYPE", 6, 16).cell(|line, _| {
            let mut event_type = Text::outside(Role::Plain, &line.event_type);
            push_signature_mark(&mut event_type, line.verified);
            event_type.into()
        }),
        Layout::fixed("WHO").cell(|line, _| who(line.profile, line.subprofile)),
        Layout::elastic("LABEL", 5, 16).cell(|line, _| optional(line.label.as_deref())),
        Layout::fixed("RECEIVED")
            .drop_priority(1)
            .cell(|line, _| Cell::time(&line.received)),
        Layout::elastic("FROM", 9, 39)
            .drop_priority(2)
            .cell(|line, _| optional(line.remote.as_deref())),
        Layout::elastic("PARAMETERS", 16, usize::MAX).cell(|line, _| {
            let parameters = line.parameters.iter();
            let parameters =
                parameters.map(|(name, value)| format!("{}={}", quoted(name), quoted(value)));
            Cell::of(Role::Plain, parameters.collect::<Vec<_>>().join(" "))
        }),
    ],
};

/// `rejected`.
pub static REJECTED: Table<RejectedLine<'static>> = Table {
    csv: CsvColumns::new(
        "number received remote label content_type status error where body body_base64",
    ),
    columns: &[
        Layout::fixed("NUMBER").cell(|line, _| Cell::seq(line.number)),
        Layout::fixed("RECEIVED").cell(|line, _| Cell::time(&line.received)),
        Layout::elastic("FROM", 9, 39)
            .drop_priority(1)
            .cell(|line, _| optional(line.remote.as_deref())),
        Layout::elastic("LABEL", 5, 16)
            .drop_priority(2)
            .cell(|line, _| optional(line.label.as_deref())),
        Layout::fixed("STATUS").cell(|line, _| Cell::of(Role::Plain, line.status.to_string())),
        Layout::elastic("ERROR", 16, usize::MAX)
            .cell(|line, _| Text::outside(Role::Warning, &line.error).into()),
        Layout::elastic("WHERE", 7, 24).cell(|line, _| Cell::outside(&line.place)),
        Layout::elastic("BODY", 8, usize::MAX).cell(|line, _| {
            let body = line.body.as_deref().or(line.body_base64.as_deref());
            let body = body.unwrap_or_default();
            match body.char_indices().nth(MAX_BODY) {
                Some((end, _)) => Cell::outside(&format!("{}…", body.get(..end).unwrap_or(body))),
                None => Cell::outside(body),
            }
        }),
    ],
};

/// `incidents undo`: what is left alone.
pub static UNDO: Table<UndoLine<'static>> = Table {
    csv: CsvColumns::new("profile subprofile field interest old old_is bad now seq time left"),
    columns: &[
        Layout::fixed("WHO").cell(|line, _| who(line.profile, line.subprofile)),
        Layout::elastic("FIELD", 6, 24)
            .cell(|line, _| subject(line.field.as_deref(), line.interest.as_deref()).into()),
        Layout::elastic("OLD", 8, usize::MAX).cell(|line, context| {
            Side::old_value(line.old.as_ref())
                .text(context.view.styles)
                .into()
        }),
        Layout::elastic("BAD", 8, usize::MAX).cell(|line, context| {
            Side::old_value(Some(&line.bad))
                .text(context.view.styles)
                .into()
        }),
        Layout::elastic("NOW", 8, usize::MAX)
            .drop_priority(1)
            .hide_empty()
            .cell(|line, context| {
                let now = line.now.as_ref();
                let now = now.map(|now| Side::new_value(now).text(context.view.styles));
                now.unwrap_or_default().into()
            }),
        Layout::fixed("LEFT ALONE").hide_empty().cell(|line, _| {
            let left = line.left.map(|left| left.text());
            Cell::of(Role::Warning, left.unwrap_or_default())
        }),
        Layout::fixed("SEQ")
            .right()
            .drop_priority(2)
            .cell(|line, _| Cell::seq(line.seq)),
        Layout::fixed("TIME")
            .drop_priority(3)
            .cell(|line, _| Cell::time(&line.time)),
    ],
};

/// `reconcile`: what differs. A finding stands in place of a field's name.
pub const RECONCILE: &[Column<ReconcileLine<'static>>] = &[
    Layout::fixed("WHO").cell(|line, _| who(line.profile, line.subprofile)),
    Layout::elastic("FIELD", 9, 32).cell(|line, _| match &line.field {
        Some(name) => subject(Some(name), None).into(),
        None => {
            let finding = line.finding.as_deref().map(plain).unwrap_or_default();
            Cell::of(Role::Warning, format!("({finding})"))
        }
    }),
    Layout::elastic("TRAIL → FILE", 12, usize::MAX).cell(|line, _| {
        let Some(file) = line.file.clone() else {
            return Text::default().into();
        };
        let trail = line.trail.clone();
        let trail = trail.map(|trail| trail.map_or(Value::Absent, Value::Text));
        Change::new(trail.as_ref(), &Value::Text(file)).into()
    }),
];

/// The CSV of answers that are no table on a terminal: `history` and `tail`, …
pub const HISTORY_CSV: CsvColumns = CsvColumns::new(
    "seq type time time_source received profile subprofile database collection label verified observed \
     duplicate_of field interest old old_is new new_is cause since",
)
.of_each("changes");

/// … `show`, …
pub const SHOW_CSV: CsvColumns = CsvColumns::new(
    "profile subprofile database collection at state last_event.seq last_event.time fields interests created \
     modified cascade.seq cascade.time",
);

/// … `diff`, …
pub const DIFF_CSV: CsvColumns = CsvColumns::new("field interest old old_is new new_is");

/// … `explain`, …
pub const EXPLAIN_CSV: CsvColumns =
    CsvColumns::new("field interest asked old old_is new new_is outcome");

/// … `evidence`, …
pub const EVIDENCE_CSV: CsvColumns = CsvColumns::new(
    "seq received remote verified_at key record public_key signed signature body body_base64",
);

/// … `report`, …
pub const REPORT_CSV: CsvColumns = CsvColumns::new(
    "group.month group.day group.hour group.field group.interest group.type group.label group.cause \
     group.database group.collection changes events profiles subprofiles first last command",
);

/// … `gaps`, …
pub const GAPS_CSV: CsvColumns = CsvColumns::new(
    "kind since until within_one outer_since outer_until profiles subprofiles events changes by_chance fields \
     more_fields first_seq last_seq labels set_by quiet.since quiet.until command",
);

/// … `incidents`, …
pub const INCIDENTS_CSV: CsvColumns = CsvColumns::new(
    "id field interest database collection from until profiles subprofiles events usual pairs more_pairs labels \
     causes first_seq last_seq command undo",
);

/// … and `loops`.
pub const LOOPS_CSV: CsvColumns = CsvColumns::new(
    "kind profile subprofile field interest labels unexplained loops changes first last every going_on writers \
     first_seq last_seq command",
);

/// Who a line is about.
fn who(profile: u64, subprofile: Option<u64>) -> Cell {
    Cell::of(Role::Plain, key(profile, subprofile))
}

/// A text from outside, where there is one.
fn optional(text: Option<&str>) -> Cell {
    Cell::outside(text.unwrap_or_default())
}
