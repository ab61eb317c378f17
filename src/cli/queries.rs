//! From arguments to questions.

use super::args::{
    BlameArgs, CascadeArgs, ChangesArgs, DiffArgs, ExportArgs, FilterArgs, Format, HistoryArgs,
    Output, RejectedArgs, ShowArgs, SpanArgs,
};
use super::context::{CommandContext, UsageError};
use crate::query::{
    BlameQuery, ChangesQuery, DiffQuery, ExportQuery, Filter, HistoryQuery, Query, RejectedQuery,
    Rounding, ShowQuery, Span,
};

impl SpanArgs {
    /// The span that is meant.
    pub fn span(&self, context: &CommandContext) -> anyhow::Result<Span> {
        Ok(Span {
            since: context.time("--since", self.since.as_deref(), Rounding::Up)?,
            until: context.time("--until", self.until.as_deref(), Rounding::Up)?,
        })
    }
}

impl CascadeArgs {
    /// Whether it is wanted in an answer of this form: people want it, while
    /// what programs read stays as it is unless they ask.
    pub fn wanted(&self, output: &Output, context: &CommandContext) -> bool {
        let people = context.format(output.format) == Format::Table;
        self.cascade || (people && !self.no_cascade)
    }
}

impl HistoryArgs {
    pub fn query(&self, context: &CommandContext) -> anyhow::Result<Query> {
        Ok(Query::History(HistoryQuery {
            key: self.key,
            fields: self.field.clone(),
            interests: self.interest.clone(),
            span: self.span.span(context)?,
            all: self.all,
            limit: self.limit,
            reverse: self.reverse,
            subprofiles: self.subprofiles,
            cascade: self.cascade.wanted(&self.output, context),
        }))
    }
}

impl ShowArgs {
    pub fn query(&self, context: &CommandContext) -> anyhow::Result<Query> {
        let at = context.time("--at", self.at.as_deref(), Rounding::Down)?;
        Ok(Query::Show(ShowQuery {
            key: self.key,
            at,
            cascade: self.cascade.wanted(&self.output, context),
        }))
    }
}

impl DiffArgs {
    pub fn query(&self, context: &CommandContext) -> anyhow::Result<Query> {
        let from = context.moment("--from", &self.from, Rounding::Down)?;
        let to = context.time("--to", self.to.as_deref(), Rounding::Down)?;
        if from > to.unwrap_or_else(|| context.now()) {
            return Err(UsageError::new(
                "--from is later than --to: give the earlier moment as --from",
            )
            .into());
        }
        Ok(Query::Diff(DiffQuery {
            key: self.key,
            from,
            to,
            cascade: self.cascade.wanted(&self.output, context),
        }))
    }
}

impl BlameArgs {
    pub fn query(&self, context: &CommandContext) -> anyhow::Result<Query> {
        let at = context.time("--at", self.at.as_deref(), Rounding::Down)?;
        Ok(Query::Blame(BlameQuery {
            key: self.key,
            at,
            cascade: self.cascade.wanted(&self.output, context),
        }))
    }
}

impl FilterArgs {
    /// The filter, and whether a profile's delete also deletes its subprofiles where
    /// people read the answer.
    pub fn filter(&self, context: &CommandContext) -> anyhow::Result<Filter> {
        Ok(Filter {
            fields: self.field.clone(),
            interests: self.interest.clone(),
            database: self.database,
            collection: self.collection,
            profile: self.profile,
            span: self.span.span(context)?,
            old: self.old.clone(),
            new: self.new.clone(),
            causes: self.cause.clone(),
            labels: self.label.clone(),
            not_labels: self.not_label.clone(),
            types: self.event_type.clone(),
            cascade: self.cascade.cascade,
        })
    }
}

impl ChangesArgs {
    pub fn query(&self, context: &CommandContext) -> anyhow::Result<Query> {
        let filter = self.filter.filter(context)?;
        Ok(Query::Changes(ChangesQuery {
            filter: Filter {
                cascade: filter.cascade || self.filter.cascade.wanted(&self.output, context),
                ..filter
            },
            limit: self.limit,
            reverse: self.reverse,
        }))
    }
}

impl ExportArgs {
    pub fn query(&self, context: &CommandContext) -> anyhow::Result<Query> {
        Ok(Query::Export(ExportQuery {
            span: self.span.span(context)?,
            profile: self.profile,
            database: self.database,
            raw: self.raw,
        }))
    }
}

impl RejectedArgs {
    pub fn query(&self, context: &CommandContext) -> anyhow::Result<Query> {
        Ok(Query::Rejected(RejectedQuery {
            span: self.span.span(context)?,
            limit: self.limit,
            reverse: self.reverse,
        }))
    }
}
