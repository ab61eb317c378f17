//! `dossier`: everything about one person, or about one of their fields, including
//! what is unknown: for a regulator or an access request.
//!
//! The events of each (sub)profile are read in one pass. The lines are sorted on disk
//! into the order of the parts ([`collect`]), so that memory holds one state for any
//! number of events and subprofiles. A profile's delete also deletes its subprofiles. The
//! command renders the human-readable page from the lines.

mod collect;
pub mod lines;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use self::collect::{Collector, LinePlace};
use self::lines::{AboutPart, DossierLine, GapPart};
use super::answer::{Lines, QueryError};
use super::filter::Span;
use super::progress::{Progress, Stage};
use super::replay::Replayer;
use crate::event::{ProfileKey, now_seconds, seconds_to_rfc3339};
use crate::store::Snapshot;

/// Everything about a (sub)profile, of a profile with its subprofiles.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DossierQuery {
    /// A profile (123), with its subprofiles, or a subprofile of one (123/456)
    #[arg(value_name = "P[/S]")]
    pub key: ProfileKey,
    /// Only what concerns this field; can be repeated
    #[arg(long = "field", value_name = "NAME")]
    #[serde(rename = "field")]
    pub fields: Vec<String>,
    /// Only what concerns this interest; can be repeated
    #[arg(long = "interest", value_name = "NAME")]
    #[serde(rename = "interest")]
    pub interests: Vec<String>,
    /// Only what is of this span; the state just before its end is the one shown.
    #[command(flatten)]
    #[serde(flatten)]
    pub span: Span,
}

impl DossierQuery {
    /// Whether only some fields or interests are requested.
    const fn narrows(&self) -> bool {
        !self.fields.is_empty() || !self.interests.is_empty()
    }
}

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &DossierQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let made = now_seconds();
    let at = match query.span.until {
        Some(until) => until.saturating_sub(1),
        None => made,
    };
    let keys: Vec<_> = snapshot.keys(Some(query.key)).collect::<Result<_, _>>()?;
    let mut replayer = Replayer::new(snapshot, true);
    replayer.note_pruned_deletes(query.key, at, lines)?;
    let mut collector = Collector::new(snapshot, query, at);
    let all = keys.len() as u64;
    for (number, key) in (0..).zip(keys) {
        collector.collect(number, key, &mut replayer, lines)?;
        lines
            .progress
            .report(Progress::new(Stage::Replaying, number + 1, all));
    }
    if !collector.is_found {
        return Ok(false);
    }
    // Unreadable events may belong to the dossier.
    let (damage, lost) = lines.damage.clone().into_lines();
    let damage = damage.iter().map(|text| ("damage", text));
    for (kind, text) in damage.chain(lost.iter().map(|text| ("lost", text))) {
        collector.total.damaged += 1;
        let gap = GapPart {
            kind: kind.into(),
            text: Some(text.into()),
            ..GapPart::default()
        };
        collector.push(LinePlace::Gap(None), &DossierLine::Gap(gap))?;
    }
    let signed = snapshot.trail().prover().sign(&|| false).ok();
    let about = AboutPart {
        who: query.key,
        fields: query.fields.iter().map(Cow::from).collect(),
        interests: query.interests.iter().map(Cow::from).collect(),
        since: query.span.since.map(seconds_to_rfc3339),
        at: seconds_to_rfc3339(at),
        made: seconds_to_rfc3339(made),
        version: env!("CARGO_PKG_VERSION").into(),
        checkpoint: signed.map(|signed| signed.note.into()),
    };
    collector.push(LinePlace::About, &DossierLine::About(about))?;
    collector.finish(lines)?;
    Ok(true)
}
