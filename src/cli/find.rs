//! `find`: the profiles that have a value.

use super::ExitStatus;
use super::args::{NoCascade, Output, TIMES};
use super::context::{CommandContext, UsageError};
use crate::query::{FindOptions, FindQuery, Query};

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
    #[command(flatten)]
    pub options: FindOptions,
    #[command(flatten)]
    pub no_cascade: NoCascade,
    #[command(flatten)]
    pub output: Output,
}

/// Asks, and writes the answer.
pub fn run(args: &FindArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let query = args.options.clone().query(args.text.clone(), "find");
    let query = query.map_err(UsageError::from)?;
    let cascade = args
        .no_cascade
        .cascade(query.cascade, &args.output, context);
    let query = Query::Find(FindQuery { cascade, ..query });
    super::ask::run(&query, &args.output, context)
}
