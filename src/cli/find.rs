//! `find`: who has a value.

use super::ExitStatus;
use super::args::{CascadeArgs, Output, TIMES};
use super::context::{CommandContext, UsageError};
use crate::query::{FindQuery, Query, Rounding, Word, Words};

/// `find`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\n\
    Fields that serve --lookup names are found at once; for others the whole log is read.\n\n\
    Examples: profiletrail find 'mail=johny@example.com'\n          \
    profiletrail find 'mail=johny@' --prefix --ever\n          \
    profiletrail find 'mail=@example\\.(com|org)$' --match\n          \
    profiletrail find --interest news"))]
pub struct FindArgs {
    /// The field and its value; the field ends at the first =
    #[arg(value_name = "FIELD=VALUE", required_unless_present = "interest")]
    pub text: Option<String>,
    /// The field's name, where it has a = in it; then VALUE stands alone
    #[arg(long, value_name = "NAME")]
    pub field: Option<String>,
    /// Who is a member of this interest
    #[arg(long, value_name = "NAME", conflicts_with_all = ["text", "field", "prefix", "matches", "ignore_case"])]
    pub interest: Option<String>,
    /// The value is the beginning of what is looked for
    #[arg(long, conflicts_with = "matches")]
    pub prefix: bool,
    /// The value is a regular expression that matches anywhere
    #[arg(long = "match")]
    pub matches: bool,
    /// Upper and lower case are the same
    #[arg(short = 'i', long)]
    pub ignore_case: bool,
    /// Who had it once, too
    #[arg(long, conflicts_with = "at")]
    pub ever: bool,
    /// Who had it at this moment [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<String>,
    /// Only in this database
    #[arg(long, value_name = "D")]
    pub database: Option<u64>,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<u64>,
    #[command(flatten)]
    pub cascade: CascadeArgs,
    #[command(flatten)]
    pub output: Output,
}

impl FindArgs {
    fn query(&self, context: &CommandContext) -> anyhow::Result<Query> {
        let words = Words {
            text: self.text.clone(),
            field: self.field.clone(),
            interest: self.interest.clone(),
            prefix: self.prefix,
            matches: self.matches,
            ignore_case: self.ignore_case,
        };
        let sought = words.read().map_err(|(word, what)| {
            let flag = match word {
                Word::Text => "find",
                Word::Interest => "--interest",
                Word::Prefix => "--prefix",
                Word::Match => "--match",
            };
            UsageError::new(format!("{flag}: {what}"))
        })?;
        Ok(Query::Find(FindQuery {
            sought,
            ever: self.ever,
            at: context.time("--at", self.at.as_deref(), Rounding::Down)?,
            database: self.database,
            limit: self.limit,
            cascade: self.cascade.wanted(&self.output, context),
        }))
    }
}

/// Asks, and writes the answer.
pub fn run(args: &FindArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    super::ask::run(&args.query(context)?, &args.output, context)
}
