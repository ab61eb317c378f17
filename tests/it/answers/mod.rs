//! What the questions answer.

mod cascade;
mod cascade_observed;
mod dossier;
mod dossier_page;
mod field_cases;
mod find;
mod incidents;
mod large_events;
mod notes;
mod one_engine;
mod paging;
mod properties;
mod reconcile;
mod reconcile_laws;
mod reconcile_record;
mod reference;
mod report_gaps_loops;
mod tail;
mod tail_cursor;
mod tail_equals_history;
mod tail_kill;
