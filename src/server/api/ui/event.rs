//! The content of an event's page.

use std::io::{self, Cursor, Write};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::ask::{each, find_line};
use super::latest::history;
use super::pages::{Failure, Site};
use super::reply::{attachment, html as reply};
use crate::event::ProfileKey;
use crate::format::seconds_of;
use crate::proofs::BundleFile;
use crate::query::lines::{ExportLine, HistoryLine};
use crate::query::{EventQuery, ExplainLine, ExplainQuery, ExportQuery, HistoryQuery, Query, Span};
use crate::server::reply::Reply;
use crate::store::Trail;
use crate::web::event::{Page, missing};

pub(super) fn page(site: &Site<'_>, seq: u64) -> Result<Reply, Failure> {
    let (trail, reader) = (&site.parts.trail, &site.reader());
    let none = |why: Option<String>| {
        let page = missing(seq, trail.last_seq(), why.as_deref(), reader);
        Ok(reply(404, page))
    };
    let (key, time) = match trail.snapshot().head_of(seq) {
        Ok(Some(found)) => found,
        Ok(None) => return none(None),
        Err(unreadable) => {
            let damage = unreadable.into_damage()?.to_string();
            return none(Some(damage));
        }
    };
    let second = Span {
        since: Some(time),
        until: Some(time.saturating_add(1)),
    };
    let query = Query::History(HistoryQuery {
        span: second,
        all: true,
        ..history(key)
    });
    let mut found = None;
    // To the end of the second, since an answer that is broken off reports no damage.
    let answered = each(trail, &query, |line: HistoryLine<'static>| {
        if line.seq == seq {
            found = Some(line);
        }
    })?;
    let Some(line) = found else {
        return none(answered.damage.into_iter().next());
    };
    let mut page = Page::new(line, answered.damage);
    if page.asks() {
        let query = Query::Explain(ExplainQuery {
            seq,
            head: false,
            cascade: true,
        });
        let answered = each(trail, &query, |line: ExplainLine<'static>| {
            page.with_asked(&line);
        })?;
        page.asked_notes = answered.notes;
    }
    let query = Query::Export(ExportQuery {
        span: second,
        profile: Some(key),
        ..ExportQuery::default()
    });
    let is_it = |line: &ExportLine<'_>| line.seq == seq && line.baseline.is_none();
    page.sent = find_line::<ExportLine<'static>>(trail, &query, is_it)?.0;
    page.neighbours = (
        beside(trail, key, (time, seq), true)?,
        beside(trail, key, (time, seq), false)?,
    );
    Ok(reply(200, page.render(reader)))
}

/// The proof of an event: a ZIP file of the files that `prove` writes.
pub(super) fn proof(site: &Site<'_>, seq: u64) -> Result<Reply, Failure> {
    let query = Query::Proof(EventQuery { seq });
    let mut files: Vec<BundleFile> = Vec::new();
    let answered = each(&site.parts.trail, &query, |file| files.push(file))?;
    if !answered.found {
        let why = answered.hints.first().map(String::as_str);
        let last = site.parts.trail.last_seq();
        return Ok(reply(404, missing(seq, last, why, &site.reader())));
    }
    let packed = pack(&format!("event-{seq}"), &files)?;
    let name = format!("event-{seq}-proof.zip");
    Ok(attachment(&name, "application/zip").with_body(packed))
}

/// A ZIP file of the files of a proof, in a folder.
fn pack(folder: &str, files: &[BundleFile]) -> io::Result<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for file in files {
        let name = format!("{folder}/{}", file.file);
        zip.start_file(name, SimpleFileOptions::default())?;
        zip.write_all(&file.bytes()?)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// The previous (`back`) or next event of the same (sub)profile.
fn beside(
    trail: &Trail,
    key: ProfileKey,
    (time, seq): (i64, u64),
    back: bool,
) -> Result<Option<u64>, Failure> {
    let mut span = Span::default();
    if back {
        span.until = Some(time.saturating_add(1));
    } else {
        span.since = Some(time);
    }
    let query = Query::History(HistoryQuery {
        span,
        reverse: back,
        ..history(key)
    });
    let mut passed = false;
    let (found, _) = find_line(trail, &query, |line: &HistoryLine<'static>| {
        let is_it = line.seq == seq;
        passed |= is_it;
        !is_it && (passed || seconds_of(&line.time) != Some(time))
    })?;
    Ok(found.map(|line| line.seq))
}
