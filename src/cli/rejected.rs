//! `rejected`: lists the calls that could not be read, and enters those that can be read
//! now.

use super::answer_args::Ask;
use super::ask;
use super::client::{APPEND, Task};
use super::maintenance::parse_lines;
use super::{CommandContext, ExitStatus, Format, TIMES};
use crate::format::plain;
use crate::query::{Query, RejectedQuery, RetryLine, RetryOutcome};
use crate::server::control::Request;

#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\nExample: profiletrail rejected --since yesterday"))]
pub struct RejectedArgs {
    /// Enter rejected calls that can be read now as events, each once [default: all of them]
    #[arg(long, value_name = "NUMBER", num_args = 0.., conflicts_with_all = ["since", "until", "limit", "reverse"])]
    pub retry: Option<Vec<u64>>,
    #[command(flatten)]
    pub ask: Ask<RejectedQuery>,
}

pub fn run(args: RejectedArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let Some(numbers) = args.retry else {
        return ask::run(Query::Rejected(args.ask.query), args.ask.output, context);
    };
    let format = context.format(args.ask.output.format);
    if !matches!(format, Format::Table | Format::Jsonl) {
        wrong_usage!("--retry: its answer is written as a table or as jsonl");
    }
    let mut lines = Vec::new();
    let named = !numbers.is_empty();
    let task = Task::new(Request::Retry(numbers), APPEND, "reading again");
    let end = task.run(context, &mut lines)?;
    if named && !end.found && end.damage.is_empty() {
        let list = context.command("rejected");
        return super::nothing_found(&format!(
            "no rejected call has such a number; {list} lists them"
        ));
    }
    match format {
        Format::Table => super::print(for_people(&lines)?)?,
        _ => super::print_lines(lines, context)?,
    }
    let query = Query::Rejected(args.ask.query);
    Ok(ask::lacking(&query, &end, context).unwrap_or(ExitStatus::Success))
}

fn for_people(lines: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut text = String::new();
    for line in parse_lines::<RetryLine>(lines)? {
        let what = match (line.seq, line.error) {
            (Some(seq), _) if line.outcome == RetryOutcome::Present => {
                format!("is already event {seq}")
            }
            (Some(seq), _) => format!("is now event {seq}"),
            (None, Some(error)) => format!("cannot be read: {error}"),
            (None, None) => continue,
        };
        text += &plain(&format!("rejected call {} {what}", line.number));
        text.push('\n');
    }
    Ok(text.into_bytes())
}
