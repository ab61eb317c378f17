//! The questions that can be asked over HTTP: one entry each.
//!
//! From this table come the paths that lead anywhere, the list at `/v1/` and
//! the description at `/v1/openapi.json` ([`super::description`]). What
//! parameters a question takes is not said here: it is what its reading in
//! [`mod@super::question`] asks for, so that the two cannot be at odds.
//!
//! To add a question:
//!
//! 1. an arm in `about`, `of_event` or `over_all` of [`mod@super::question`], which asks for all its
//!    parameters, whatever the values of others, before it refuses any of them
//!    for the sake of another;
//! 2. an entry here. Of its lines' types `#[derive(JsonSchema)]` is asked;
//! 3. a word on each parameter of a new name in [`doc`]: a test tells which.
//!
//! One whose answer has pages asks for `params.limit()`, and its module leaves out
//! what is not after `Lines::after`; [`crate::query::Mark`] gets what tells the
//! place of one of its lines.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::params::{Asked, Params};
use super::posed::describe;
use crate::ops::StatsLine;
use crate::query::dossier::lines::DossierLine;
use crate::query::lines::{
    BlameLine, ChangesLine, DiffLine, EvidenceLine, ExportLine, FindLine, HistoryLine,
    RejectedLine, ShowLine,
};
use crate::query::{
    ExplainLine, GapLine, IncidentLine, LoopGroupLine, LoopLine, ReportLine, UndoLine,
};

/// What of a question is known before it is asked.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its name in the path, which is the command's.
    pub name: &'static str,
    /// What it is about.
    pub of: Of,
    /// What it asks, in a line.
    pub what: &'static str,
    /// The type of its answer's lines.
    pub line: fn(&mut SchemaGenerator) -> Schema,
    /// What decides whether its answer is the same as before.
    pub depends: Depends,
    /// Whether its answer can be had in pages.
    pub pages: bool,
}

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// One profile or subprofile, which the path names.
    Profile,
    /// One event, whose `seq` the path names.
    Event,
    /// All there is.
    Everything,
}

/// What an answer depends on, beside the question with its times in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depends {
    /// The events that are there.
    Events,
    /// The same once this moment is given: else the answer is about now.
    EventsOnce(&'static str),
    /// The rejected calls that are there.
    Rejected,
    /// More: the files' sizes, or now.
    More,
}

fn line<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

fn any_of<T: JsonSchema, U: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [generator.subschema_for::<T>(), generator.subschema_for::<U>()],
    })
}

fn any_of_three<T: JsonSchema, U: JsonSchema, V: JsonSchema>(
    generator: &mut SchemaGenerator,
) -> Schema {
    let third = generator.subschema_for::<V>();
    json_schema!({ "anyOf": [any_of::<T, U>(generator), third] })
}

/// All of them.
pub(super) const ENTRIES: [Entry; 17] = [
    Entry {
        name: "history",
        of: Of::Profile,
        what: "The events of a (sub)profile, oldest first, and what each changed",
        line: line::<HistoryLine<'static>>,
        depends: Depends::Events,
        pages: true,
    },
    Entry {
        name: "show",
        of: Of::Profile,
        what: "The state of a (sub)profile at a moment",
        line: line::<ShowLine<'static>>,
        depends: Depends::EventsOnce("at"),
        pages: false,
    },
    Entry {
        name: "diff",
        of: Of::Profile,
        what: "The net differences of a (sub)profile between two moments",
        line: line::<DiffLine<'static>>,
        depends: Depends::EventsOnce("to"),
        pages: false,
    },
    Entry {
        name: "blame",
        of: Of::Profile,
        what: "The last change of every field and interest of a (sub)profile",
        line: line::<BlameLine<'static>>,
        depends: Depends::EventsOnce("at"),
        pages: false,
    },
    Entry {
        name: "dossier",
        of: Of::Profile,
        what: "Everything about a (sub)profile, or about some fields and interests of it",
        line: line::<DossierLine<'static>>,
        depends: Depends::More,
        pages: false,
    },
    Entry {
        name: "evidence",
        of: Of::Event,
        what: "What proves that Copernica sent an event",
        line: line::<EvidenceLine<'static>>,
        depends: Depends::Events,
        pages: false,
    },
    Entry {
        name: "changes",
        of: Of::Everything,
        what: "What changed when, over all profiles",
        line: line::<ChangesLine<'static>>,
        depends: Depends::Events,
        pages: true,
    },
    Entry {
        name: "explain",
        of: Of::Event,
        what: "What an event asked for against what came of it",
        line: line::<ExplainLine<'static>>,
        depends: Depends::Events,
        pages: false,
    },
    Entry {
        name: "tail",
        of: Of::Everything,
        what: "The newest events in the order of arrival, or those after one, and what each changed",
        line: line::<HistoryLine<'static>>,
        depends: Depends::Events,
        pages: false,
    },
    Entry {
        name: "find",
        of: Of::Everything,
        what: "Which (sub)profiles have or had a value, since when until when",
        line: line::<FindLine<'static>>,
        depends: Depends::EventsOnce("at"),
        pages: false,
    },
    Entry {
        name: "report",
        of: Of::Everything,
        what: "How many changes there are, by field, label, hour, …",
        line: line::<ReportLine>,
        depends: Depends::Events,
        pages: false,
    },
    Entry {
        name: "gaps",
        of: Of::Everything,
        what: "What changed unexplained, and which lost calls would explain it",
        line: line::<GapLine>,
        depends: Depends::Events,
        pages: false,
    },
    Entry {
        name: "incidents",
        of: Of::Everything,
        what: "Bursts in which many (sub)profiles got the same field changed; the changes of one, or what would undo it",
        line: any_of_three::<IncidentLine, ChangesLine<'static>, UndoLine>,
        depends: Depends::Events,
        pages: false,
    },
    Entry {
        name: "loops",
        of: Of::Everything,
        what: "Fields that go from one value to another and back, again and again",
        line: any_of::<LoopLine, LoopGroupLine>,
        depends: Depends::Events,
        pages: false,
    },
    Entry {
        name: "export",
        of: Of::Everything,
        what: "Every event in the order of arrival",
        line: line::<ExportLine<'static>>,
        depends: Depends::Events,
        pages: true,
    },
    Entry {
        name: "rejected",
        of: Of::Everything,
        what: "The calls that could not be read",
        line: line::<RejectedLine<'static>>,
        depends: Depends::Rejected,
        pages: true,
    },
    Entry {
        name: "stats",
        of: Of::Everything,
        what: "What there is in a span of time",
        line: line::<StatsLine>,
        depends: Depends::More,
        pages: false,
    },
];

impl Entry {
    /// The question of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        ENTRIES.iter().find(|entry| entry.name == name)
    }

    /// The parameters that it takes.
    pub fn takes(&self) -> Vec<Asked> {
        let mut params = Params::describing();
        // That it can be read without values is tested.
        let _ = describe(self, &mut params);
        params.asked().to_vec()
    }
}

/// What a parameter of a question is, in a line; the same for all questions
/// unless one says otherwise.
pub(super) fn doc(entry: &Entry, parameter: &str) -> Option<&'static str> {
    Some(match (entry.name, parameter) {
        ("rejected", "since") => "Only calls received from this time on",
        ("rejected", "until") => "Only calls received before this time",
        ("diff", "from") => "The earlier moment",
        ("diff", "to") => "The later moment; now where it is left out",
        ("find", "q") => "FIELD=VALUE; instead of field and value, or of interest",
        ("find", "field") => "The field that is looked at; goes with value",
        ("find", "value") => "The value that is looked for; goes with field",
        ("find", "interest") => "The members of this interest instead",
        ("find", "prefix") => "All values that begin so",
        ("find", "match") => "All values that this regular expression matches",
        ("find", "ignore-case") => "Whatever letters are great or small",
        ("find", "ever") => "Who had it once, too",
        ("find", "limit") => "The most lines",
        (_, "field") => "Only changes of this field, or of another one that is named",
        (_, "interest") => "Only changes of this interest, or of another one that is named",
        (_, "since") => "Only from this time on",
        (_, "until") => "Only before this time",
        ("dossier", "at") => "The moment that is spoken of; of it and until the earlier one counts",
        (_, "at") => "The moment; now where it is left out",
        (_, "cascade") => {
            "What ends with a profile's deletion, too: its subprofiles, by the cause cascade"
        }
        ("report", "by") => "What the changes of a line have in common; field where it is left out",
        ("incidents", "show") => "The changes of this incident instead",
        ("incidents", "undo") => "What each (sub)profile of this incident had and has, instead",
        ("gaps", "within") => "How far apart a group's changes may be",
        ("incidents", "within") => "How long a burst may take",
        ("loops", "within") => "How far apart the changes of a loop may be",
        ("gaps", "least") => "Only findings of at least so many changes",
        ("incidents", "least") => "Only bursts of at least so many (sub)profiles",
        ("loops", "least") => "Only what changed at least so often",
        ("report" | "gaps" | "incidents" | "loops", "limit") => "The most lines",
        (_, "type") => "Only of events of this type, or of another one that is named",
        (_, "all") => "Duplicates too",
        ("tail", "limit") => "The most events; 100, or 10 of the newest, where it is left out",
        (_, "limit") => {
            "The most lines. Where there are more, Link names the next page: in the answer's head, or in its trailer \
             where it went out before its end was known"
        }
        ("tail", "after") => {
            "Only events after this one, by its seq; the newest where it is left out"
        }
        (_, "after") => {
            "Where the page before ended, as its Link has it. What was there at the first page is told once, \
             whatever arrives meanwhile; an event that comes late, of a time before this, is not told"
        }
        (_, "reverse") => "Newest first",
        (_, "subprofiles") => "The events of the profile's subprofiles too",
        (_, "database") => "Only in this database",
        (_, "collection") => "Only in this collection",
        (_, "profile") => {
            "Only of this profile and its subprofiles (123), or of this subprofile (123/456)"
        }
        (_, "old") => "Only changes from this value; true or false of an interest",
        (_, "new") => "Only changes to this value; true or false of an interest",
        (_, "cause") => "Only changes by this cause, or by another one that is named",
        (_, "label") => "Only of calls to this label's address, or to another one that is named",
        (_, "not-label") => {
            "Not of calls to this label's address, nor to another one that is named"
        }
        (_, "raw") => "The bodies as sent, too, and what proves who sent them",
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_question_can_be_described() {
        for entry in &ENTRIES {
            let mut params = Params::describing();
            let read = describe(entry, &mut params);
            assert!(read.is_ok(), "{}: {read:?}", entry.name);
            let mut names = BTreeSet::new();
            for asked in entry.takes() {
                let name = asked.name;
                assert!(doc(entry, name).is_some(), "{}: {name}", entry.name);
                assert!(names.insert(name), "{}: {name} twice", entry.name);
            }
            let pages = names.contains("after") && names.contains("limit");
            assert!(!entry.pages || pages, "{}", entry.name);
            if let Depends::EventsOnce(moment) = entry.depends {
                assert!(names.contains(moment), "{}", entry.name);
            }
        }
    }
}
