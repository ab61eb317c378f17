//! `gaps` for people: each finding in a few lines.

use super::cell::Cell;
use super::details::{Field, NAME, Section, field, see};
use crate::format::{Role, Text, View, counted, events, grouped, label, listed, of_many, subject};
use crate::query::{GapKind, GapLine};

/// The most names in a row.
const NAMES: usize = 6;

pub fn sections(line: &GapLine<'_>, view: &View) -> Vec<Section> {
    vec![(title(line, view), fields(line, view))]
}

fn title(line: &GapLine<'_>, view: &View) -> Text {
    let what = format!(
        "{} of {}",
        counted(line.changes, "unexplained change"),
        of_many(line.profiles, line.subprofiles)
    );
    let mut title = Text::of(Role::Head, what).and(Role::Plain, ": ");
    let name = line.fields.first();
    let name = name.map(|one| subject(&one.subject));
    let mut of_field = |what: &str| {
        title.append(name.clone().unwrap_or_default().fit(NAME));
        title.push(Role::Plain, what);
    };
    match (line.kind, &line.since, &line.until) {
        (GapKind::Lost, Some(since), Some(until)) => {
            let how = match line.within_one {
                Some(true) => "calls lost at a moment",
                _ => "calls lost at the beginning and the end",
            };
            title.push(Role::Plain, format!("{how} from "));
            title.push(Role::Time, view.format_range(since, until));
            title.push(Role::Plain, " would explain them");
        }
        (GapKind::SilentField, ..) => of_field(" changes without a call that claims it"),
        _ => of_field(", scattered"),
    }
    title
}

fn fields(line: &GapLine<'_>, view: &View) -> Vec<Field> {
    let mut fields = Vec::new();
    if line.kind == GapKind::Lost {
        let names = line.fields.iter().map(|one| {
            let name = subject(&one.subject);
            (name.fit(NAME).text(), one.changes)
        });
        let names = listed(names, NAMES, line.more_fields);
        fields.push(field("fields", Cell::plain(names)));
    }
    let labels = line.labels.iter();
    let labels = labels.map(|one| (label(one.label.as_deref()), one.events));
    let shown = format!(
        "by {}, of label {}",
        events(line.events, line.first_seq, line.last_seq),
        listed(labels, NAMES, false)
    );
    fields.push(field("shown", Cell::plain(shown)));
    let between = view.format_range(&line.outer_since, &line.outer_until);
    fields.push(field("between", Text::of(Role::Time, between)));
    if let Some(by_chance) = line.by_chance.filter(|count| *count > 0) {
        let chance = format!("about {} would be expected by chance", grouped(by_chance));
        fields.push(field("chance", Cell::plain(chance)));
    }
    // For scattered changes the labels that usually make them say nothing.
    let set_by = line.set_by.iter();
    let set_by = set_by.filter(|_| line.kind != GapKind::Scattered);
    for (number, one) in set_by.take(NAMES).enumerate() {
        let usually = format!(
            "label {} claims {} of these fields",
            label(one.label.as_deref()),
            counted(one.changes, "change")
        );
        let text = match one.calls {
            None => usually,
            Some(0) => format!("{usually}, but none of its calls are from that span"),
            Some(calls) => format!("{usually}; {} from that span", counted(calls, "call")),
        };
        fields.push(field(
            if number == 0 { "set by" } else { "" },
            Cell::plain(text),
        ));
    }
    if let Some(quiet) = &line.quiet {
        let stretch = view.format_range(&quiet.since, &quiet.until);
        let text = Text::of(Role::Warning, "no call at all")
            .and(Role::Plain, " in ")
            .and(Role::Time, stretch);
        fields.push(field("quiet", text));
    }
    fields.extend(see("see", &line.command));
    fields
}
