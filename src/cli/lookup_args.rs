//! The fields of which the values are looked up.

use super::context::UsageError;
use crate::index::MAX_FIELDS;

/// Of which fields values are found at once.
#[derive(Debug, clap::Args)]
pub struct LookupArgs {
    /// Fields, parted by commas, by whose values find answers at once; without, none
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
                "--lookup: {} fields are named, and {MAX_FIELDS} can be had; leave some out, find answers without it \
                 too",
                fields.len()
            );
            return Err(UsageError::new(what).into());
        }
        Ok(fields)
    }
}
