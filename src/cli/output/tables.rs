//! The columns of every answer that is a table on a terminal. Those of its CSV are in
//! [`crate::query::rows`].

use super::cell::Cell;
use super::history::push_signature_mark;
use super::table::Column;
use crate::format::{
    Change, Role, Side, Text, View, format_duration, is_at_latest, plain, quoted, seconds_of,
    subject,
};
use crate::history::{Subject, Value};
use crate::query::lines::{BlameLine, ChangesLine, ExportLine, FindLine, RejectedLine};
use crate::query::{ReconcileLine, UndoLine};

/// The most characters of a rejected body.
const MAX_BODY: usize = 200;

/// `changes`, and `incidents show`.
pub const CHANGES: &[Column<ChangesLine<'static>>] = &[
    Column::fixed("TIME", |line, _| time(&line.time, line.change.cause.name())),
    Column::number("SEQ", |line, _| Cell::seq(line.seq)),
    Column::fixed("WHO", |line, _| Cell::who(line.who)),
    Column::elastic("LABEL", 5, 16, |line: &ChangesLine<'_>, _| {
        Cell::outside(line.label.as_deref())
    })
    .drop_priority(1),
    Column::fixed("CAUSE", |line, _| {
        let own = line.change.cause;
        cause(own.name(), own.since().is_some())
    }),
    Column::elastic("FIELD", 8, 24, |line, _| {
        subject(&line.change.subject).into()
    }),
    Column::elastic("CHANGE", 24, usize::MAX, |line, view| {
        let mut change = Change::new(line.change.old.as_ref(), &line.change.new);
        if let Some(since) = line.change.cause.since() {
            let since = format!("since {}", view.moment(since));
            change.suffix = Text::of(Role::Warning, since);
        }
        change.into()
    }),
];

/// `blame`.
pub const BLAME: &[Column<BlameLine<'static>>] = &[
    Column::elastic("FIELD", 12, 32, |line, _| subject(&line.subject).into()),
    Column::elastic("VALUE", 18, usize::MAX, |line, view| {
        side(&Side::new_value(&line.value), view)
    }),
    Column::fixed("AGE", |line, view| {
        let age = view.age(&line.time);
        match is_at_latest(&line.cause) {
            true => Cell::of(Role::Warning, format!("≥ {age}")),
            false => Cell::plain(age),
        }
    }),
    Column::number("SEQ", |line, _| Cell::seq(line.seq)),
    Column::fixed("TIME", |line: &BlameLine<'_>, _| {
        time(&line.time, &line.cause)
    })
    .drop_priority(3),
    Column::elastic("TYPE", 6, 16, |line: &BlameLine<'_>, _| {
        Cell::outside(&*line.event_type)
    })
    .drop_priority(4),
    Column::fixed("CAUSE", |line, _| {
        cause(&line.cause, is_at_latest(&line.cause))
    }),
    Column::fixed("SINCE", |line: &BlameLine<'_>, view| {
        let since = line.since.as_ref().map(|since| view.time(since));
        Cell::of(Role::Warning, since.unwrap_or_default())
    })
    .drop_priority(2)
    .hide_empty(),
    Column::elastic("WAS", 8, usize::MAX, |line: &BlameLine<'_>, view| {
        side(&Side::old_value(line.old.as_ref()), view)
    })
    .drop_priority(1),
];

/// `find`.
pub const FIND: &[Column<FindLine<'static>>] = &[
    Column::fixed("WHO", |line, _| Cell::who(line.who)),
    Column::fixed("DATABASE", |line: &FindLine<'_>, _| {
        let database = line.database.map(|number| number.to_string());
        Cell::plain(database.unwrap_or_default())
    })
    .drop_priority(3)
    .hide_empty(),
    Column::elastic("FIELD", 5, 24, |line: &FindLine<'_>, _| {
        subject(&line.subject).into()
    })
    .drop_priority(2),
    Column::elastic("VALUE", 20, usize::MAX, |line, view| {
        side(&Side::new_value(&line.value), view)
    }),
    Column::fixed("SINCE", |line, _| time(&line.since, &line.cause)),
    Column::fixed("UNTIL", |line, _| match &line.until {
        Some(until) => Cell::time(until),
        None => Cell::of(Role::Time, "(still)"),
    }),
    Column::fixed("FOR", |line, view| {
        let until = match &line.until {
            Some(until) => seconds_of(until),
            None => Some(view.at.unwrap_or(view.now)),
        };
        let lasted = seconds_of(&line.since).zip(until);
        let lasted = lasted.map(|(since, until)| format_duration(until.saturating_sub(since)));
        Cell::plain(lasted.unwrap_or_default())
    }),
    Column::fixed("CAUSE", |line: &FindLine<'_>, _| {
        cause(&line.cause, is_at_latest(&line.cause))
    })
    .drop_priority(1),
];

/// `export`.
pub const EXPORT: &[Column<ExportLine<'static>>] = &[
    Column::number("SEQ", |line, _| Cell::seq(line.seq)),
    Column::fixed("TIME", |line, _| Cell::time(&line.time)),
    Column::elastic("TYPE", 6, 16, |line, _| {
        let mut event_type = Text::outside(Role::Plain, &line.event_type);
        push_signature_mark(&mut event_type, line.verified);
        event_type.into()
    }),
    Column::fixed("WHO", |line, _| Cell::who(line.key())),
    Column::elastic("LABEL", 5, 16, |line, _| {
        Cell::outside(line.label.as_deref())
    }),
    Column::fixed("RECEIVED", |line: &ExportLine<'_>, _| {
        Cell::time(&line.received)
    })
    .drop_priority(1),
    Column::elastic("FROM", 9, 39, |line: &ExportLine<'_>, _| {
        Cell::outside(line.remote.as_deref())
    })
    .drop_priority(2),
    Column::elastic("PARAMETERS", 16, usize::MAX, |line, _| {
        let parameters = line.parameters.iter();
        let parameters =
            parameters.map(|(name, value)| format!("{}={}", quoted(name), quoted(value)));
        Cell::plain(parameters.collect::<Vec<_>>().join(" "))
    }),
];

/// `rejected`.
pub const REJECTED: &[Column<RejectedLine<'static>>] = &[
    Column::fixed("NUMBER", |line, _| Cell::seq(line.number)),
    Column::fixed("RECEIVED", |line, _| Cell::time(&line.received)),
    Column::elastic("FROM", 9, 39, |line: &RejectedLine<'_>, _| {
        Cell::outside(line.remote.as_deref())
    })
    .drop_priority(1),
    Column::elastic("LABEL", 5, 16, |line: &RejectedLine<'_>, _| {
        Cell::outside(line.label.as_deref())
    })
    .drop_priority(2),
    Column::fixed("STATUS", |line, _| Cell::plain(line.status.to_string())),
    Column::elastic("ERROR", 16, usize::MAX, |line, _| {
        Text::outside(Role::Warning, &line.error).into()
    }),
    Column::elastic("WHERE", 7, 24, |line, _| Cell::outside(&*line.place)),
    Column::elastic("BODY", 8, usize::MAX, |line, _| {
        let body = line.body.as_deref().or(line.body_base64.as_deref());
        let body = body.unwrap_or_default();
        match body.char_indices().nth(MAX_BODY) {
            Some((end, _)) => Cell::outside(&*format!("{}…", body.get(..end).unwrap_or(body))),
            None => Cell::outside(body),
        }
    }),
];

/// `incidents undo`: the values that it leaves unchanged.
pub const UNDO: &[Column<UndoLine<'static>>] = &[
    Column::fixed("WHO", |line, _| Cell::who(line.who)),
    Column::elastic("FIELD", 6, 24, |line, _| subject(&line.subject).into()),
    Column::elastic("OLD", 8, usize::MAX, |line, view| {
        side(&Side::old_value(line.old.as_ref()), view)
    }),
    Column::elastic("BAD", 8, usize::MAX, |line, view| {
        side(&Side::old_value(Some(&line.bad)), view)
    }),
    Column::elastic(
        "NOW",
        8,
        usize::MAX,
        |line: &UndoLine<'_>, view| match &line.now {
            Some(now) => side(&Side::new_value(now), view),
            None => Cell::plain(""),
        },
    )
    .drop_priority(1)
    .hide_empty(),
    Column::fixed("LEFT ALONE", |line: &UndoLine<'_>, _| {
        let left = line.left.map(|left| left.text());
        Cell::of(Role::Warning, left.unwrap_or_default())
    })
    .hide_empty(),
    Column::number("SEQ", |line: &UndoLine<'_>, _| Cell::seq(line.seq)).drop_priority(2),
    Column::fixed("TIME", |line: &UndoLine<'_>, _| Cell::time(&line.time)).drop_priority(3),
];

/// `reconcile`: the differences. A finding has no field.
pub const RECONCILE: &[Column<ReconcileLine<'static>>] = &[
    Column::fixed("WHO", |line, _| Cell::who(line.who)),
    Column::elastic("FIELD", 9, 32, |line, _| match &line.field {
        Some(name) => subject(&Subject::Field(name.as_ref().into())).into(),
        None => {
            let finding = line.finding.as_deref().map(plain).unwrap_or_default();
            Cell::of(Role::Warning, format!("({finding})"))
        }
    }),
    Column::elastic("TRAIL → FILE", 12, usize::MAX, |line, _| {
        let Some(file) = line.file.clone() else {
            return Cell::plain("");
        };
        let trail = line.trail.clone();
        let trail = trail.map(|trail| trail.map_or(Value::Absent, Value::Text));
        Change::new(trail.as_ref(), &Value::Text(file)).into()
    }),
];

/// The time of a change of a cause.
fn time(time: &str, cause: &str) -> Cell {
    Cell::Time {
        time: time.to_owned(),
        at_latest: is_at_latest(cause),
    }
}

/// A cause, which may be highlighted.
fn cause(cause: &str, warn: bool) -> Cell {
    let role = if warn { Role::Warning } else { Role::Plain };
    Cell::of(role, plain(cause))
}

fn side(side: &Side, view: &View) -> Cell {
    side.text(view.styles).into()
}
