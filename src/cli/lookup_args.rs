//! The argument of `serve` for indexed fields.

use super::context::UsageError;
use crate::index::MAX_FIELDS;

/// The fields whose values are indexed.
#[derive(Debug, clap::Args)]
pub struct LookupArgs {
    /// Comma-separated fields to index for fast `find`
    #[arg(
        long,
        env = "PROFILETRAIL_LOOKUP",
        value_name = "FIELDS",
        value_delimiter = ','
    )]
    pub lookup: Vec<String>,
}

impl LookupArgs {
    /// The fields.
    pub fn fields(&self) -> anyhow::Result<Vec<String>> {
        let fields = self.lookup.iter().filter(|field| !field.is_empty());
        let fields: Vec<String> = fields.cloned().collect();
        if fields.len() > MAX_FIELDS {
            let what = format!(
                "--lookup: {} fields are named, and at most {MAX_FIELDS} can be indexed; find works without an index, too",
                fields.len()
            );
            return Err(UsageError::new(what).into());
        }
        Ok(fields)
    }
}
