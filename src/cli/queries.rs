//! Converts arguments to queries.

use super::args::{BlameArgs, ChangesArgs, DiffArgs, ExportArgs, HistoryArgs, ShowArgs};
use super::context::{CommandContext, UsageError};
use crate::query::{
    BlameQuery, ChangesQuery, DiffQuery, Filter, HistoryQuery, InvalidParam, Query, ShowQuery,
};

impl From<InvalidParam> for UsageError {
    fn from(error: InvalidParam) -> Self {
        Self::new(error.to_string())
    }
}

impl HistoryArgs {
    pub fn query(&self, context: &CommandContext) -> Query {
        let query = self.query.clone();
        Query::History(HistoryQuery {
            cascade: self
                .no_cascade
                .cascade(query.cascade, &self.output, context),
            ..query
        })
    }
}

impl ShowArgs {
    pub fn query(&self, context: &CommandContext) -> Query {
        let query = self.query.clone();
        Query::Show(ShowQuery {
            cascade: self
                .no_cascade
                .cascade(query.cascade, &self.output, context),
            ..query
        })
    }
}

impl DiffArgs {
    pub fn query(&self, context: &CommandContext) -> Query {
        let query = self.query.clone();
        Query::Diff(DiffQuery {
            cascade: self
                .no_cascade
                .cascade(query.cascade, &self.output, context),
            ..query
        })
    }
}

impl BlameArgs {
    pub fn query(&self, context: &CommandContext) -> Query {
        let query = self.query.clone();
        Query::Blame(BlameQuery {
            cascade: self
                .no_cascade
                .cascade(query.cascade, &self.output, context),
            ..query
        })
    }
}

impl ChangesArgs {
    pub fn query(&self, context: &CommandContext) -> Query {
        let ChangesQuery {
            filter,
            limit,
            reverse,
        } = self.query.clone();
        Query::Changes(ChangesQuery {
            filter: Filter {
                cascade: self
                    .no_cascade
                    .cascade(filter.cascade, &self.output, context),
                ..filter
            },
            limit,
            reverse,
        })
    }
}

impl ExportArgs {
    pub fn query(&self) -> Query {
        Query::Export(self.query.clone())
    }
}
