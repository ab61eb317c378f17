//! Answers as files and documents, sent while they are made.

use std::fs::File;
use std::io::{self, Seek, Write};

use maud::html;
use serde_json::json;

use super::changes;
use super::incident::{missing, undo};
use super::pages::{Failure, Site};
use super::panels::{permit, permit_for};
use super::reply::{attachment, document, html as page};
use crate::format::{LineSplitter, Printer};
use crate::query::rows::{Csv, Xlsx, csv_columns};
use crate::query::{DossierQuery, IncidentId, Query, QueryError, UndoFile, UndoLine, answer};
use crate::server::api::answer::Sink;
use crate::server::reply::{Reply, Responder};
use crate::server::semaphore::Client;
use crate::web::dossier::Page as Dossier;
use crate::web::profile::unknown;
use crate::web::shell;
use crate::web::text::Text;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server::api) enum FileFormat {
    Csv,
    Jsonl,
    Xlsx,
}

impl FileFormat {
    pub fn of(ending: &str) -> Option<Self> {
        let mut all = [Self::Csv, Self::Jsonl, Self::Xlsx].into_iter();
        all.find(|format| format.ending() == ending)
    }

    const fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Xlsx => "xlsx",
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => CSV,
            Self::Jsonl => "application/x-ndjson",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }
}

const CSV: &str = "text/csv; charset=utf-8";

/// The content of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::server::api) enum Download {
    /// The requested changes.
    Changes(String),
    /// The profiles of an incident.
    Incident(IncidentId),
}

/// Sends it; returns the outcome for the metrics.
pub(super) fn send(
    site: &Site<'_>,
    what: &Download,
    format: FileFormat,
    (client, caller): (&Client, Responder),
) -> &'static str {
    let (name, query) = match what {
        Download::Changes(query) => match changes::parse(site, query) {
            Ok(parsed) => ("changes".to_owned(), parsed.query),
            Err(error) => {
                caller.answer(&refused(site, 400, &error.to_string()));
                return "refused";
            }
        },
        Download::Incident(id) => (format!("incident-{id}"), undo(id)),
    };
    let _permit = match permit_for(site, &query, client) {
        Ok(permit) => permit,
        Err(failure) => {
            caller.answer(&site.failed(&failure));
            return "busy";
        }
    };
    let day = site.clock.format(site.clock.now, "%Y-%m-%d");
    let name = format!("{name}-{day}.{}", format.ending());
    let sink = Sink::document(caller, attachment(&name, format.content_type()));
    match write(site, &query, format, &sink) {
        // The reason why a workbook cannot hold an answer.
        Err(QueryError::Output(error))
            if format == FileFormat::Xlsx && error.kind() != io::ErrorKind::BrokenPipe =>
        {
            sink.fail(&refused(site, 422, &error.to_string()));
            "failed"
        }
        written => end(site, sink, written),
    }
}

/// Ends a document; returns the outcome for the metrics.
fn end(site: &Site<'_>, sink: Sink, made: Result<(), QueryError>) -> &'static str {
    match made {
        Ok(()) => {
            sink.end();
            "answered"
        }
        Err(QueryError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            tracing::debug!("a document was broken off: {error}");
            "broken_off"
        }
        Err(error) => {
            sink.fail(&site.failed(&Failure::Query(error)));
            "failed"
        }
    }
}

fn write(
    site: &Site<'_>,
    query: &Query,
    format: FileFormat,
    sink: &Sink,
) -> Result<(), QueryError> {
    let trail = &site.parts.trail;
    let mut out = sink;
    let columns = csv_columns(query).ok_or_else(|| io::Error::other("this answer has no rows"))?;
    let printer: Box<dyn Printer + '_> = match format {
        FileFormat::Jsonl => Box::new(|line: &[u8]| out.write_all(line)),
        FileFormat::Csv => Box::new(Csv::new(columns, &mut out)),
        FileFormat::Xlsx => Box::new(Xlsx::new(columns, trail.folder().path(), &mut out)?),
    };
    let mut lines = LineSplitter::new(printer);
    let report = &mut |_| sink.tick();
    let (answered, _) = answer(trail, query, None, &mut lines, report)?;
    if !answered.damage.is_empty() {
        // The last row has the note: a file has no other place for it.
        let what = format!("INCOMPLETE: {}", answered.damage.join("; "));
        let line = match format {
            FileFormat::Jsonl => json!({ "damage": answered.damage }),
            FileFormat::Csv | FileFormat::Xlsx => json!({ "time": what }),
        };
        writeln!(lines, "{line}")?;
    }
    Ok(lines.finish()?)
}

/// Sends a dossier as a document; returns the outcome for the metrics.
pub(super) fn dossier(site: &Site<'_>, query: &DossierQuery, caller: Responder) -> &'static str {
    let name = format!("dossier-{}.html", query.key.to_string().replace('/', "-"));
    let trail = &site.parts.trail;
    let sink = Sink::document(caller, document(&name));
    match write_dossier(site, query, &sink) {
        Ok(false) => {
            let none = unknown(query.key, trail.last_seq(), &[], &site.reader());
            sink.fail(&page(404, none));
            "answered"
        }
        made => end(site, sink, made.map(|_| ())),
    }
}

/// Writes the dossier; returns whether it has content.
fn write_dossier(site: &Site<'_>, query: &DossierQuery, sink: &Sink) -> Result<bool, QueryError> {
    let mut out = sink;
    let mut printed = LineSplitter::new(Box::new(Dossier::new(site.clock.zone, &mut out)));
    let query = Query::Dossier(query.clone());
    let report = &mut |_| sink.tick();
    let (answered, _) = answer(&site.parts.trail, &query, None, &mut printed, report)?;
    printed.finish()?;
    Ok(answered.found)
}

/// The file that undoes an incident. It is made before it is sent, since it is not sent
/// where an event cannot be read, which may have changed a value since.
pub(super) fn undo_file(
    site: &Site<'_>,
    id: &IncidentId,
    collection: Option<String>,
    caller: Responder,
) -> &'static str {
    match made(site, id, collection) {
        Ok(Ok(mut file)) => {
            let head = attachment(&format!("{id}.csv"), CSV);
            let sink = Sink::document(caller, head);
            match io::copy(&mut file, &mut &sink) {
                Ok(_) => sink.end(),
                Err(error) => tracing::debug!("a download was broken off: {error}"),
            }
            "answered"
        }
        Ok(Err(reply)) => {
            caller.answer(&reply);
            "refused"
        }
        Err(failure) => {
            caller.answer(&site.failed(&failure));
            "failed"
        }
    }
}

/// The whole file, or why it cannot be made.
fn made(
    site: &Site<'_>,
    id: &IncidentId,
    collection: Option<String>,
) -> Result<Result<File, Reply>, Failure> {
    let query = undo(id);
    let _permit = permit(site, &query)?;
    let mut out = tempfile::tempfile_in(site.parts.trail.folder().path())?;
    let mut file = UndoFile::new(out.try_clone()?, collection);
    let mut lines = LineSplitter::new(Box::new(|line: &[u8]| {
        let line: UndoLine<'_> = serde_json::from_slice(line)?;
        file.take(&line).map(|_| ())
    }));
    let (answered, _) = answer(&site.parts.trail, &query, None, &mut lines, &mut |_| ())?;
    drop(lines);
    let refuse = |what: &str| Ok(Err(refused(site, 409, what)));
    if !answered.damage.is_empty() {
        return refuse(
            "No file is made: some events cannot be read, and one of them may have changed a value since.",
        );
    }
    if file.wrong_collection {
        return refuse(match file.collection {
            None => "The incident is of subprofiles: name their collection on the incident's page.",
            Some(_) => "The incident is of profiles, which have no collection.",
        });
    }
    if file.restored + file.left == 0 {
        return Ok(Err(missing(site, id)));
    }
    if file.restored == 0 {
        return refuse("There is nothing to restore.");
    }
    file.flush()?;
    drop(file);
    out.rewind()?;
    Ok(Ok(out))
}

/// A page that says why there is no file.
fn refused(site: &Site<'_>, status: u16, what: &str) -> Reply {
    let body = html! { p.error { (Text::new(what, 400)) } };
    page(status, shell::message("No file", &body, Some(&site.clock)))
}
