//! The questions that are asked of a store, each as a whole process.

use std::path::Path;

use super::args::{DAY, RunArgs};
use super::generate::Plan;
use super::timed::{Timed, ask};

/// How often a question over everything is asked at most.
pub const TIMES_OVER_ALL: usize = 3;

/// How many events a profile has whose history is asked.
const USUAL: u64 = 20;

/// How many profiles are tried for that.
const TRIED: u64 = 200;

pub struct Question {
    /// Its name in tables and JSON.
    pub name: &'static str,
    pub command: Vec<String>,
    pub times: usize,
}

impl Question {
    /// One that is asked so often.
    pub fn new(name: &'static str, times: usize, command: &[&str]) -> Self {
        Self {
            name,
            command: command.iter().map(|part| (*part).to_owned()).collect(),
            times,
        }
    }
}

/// All questions, the cheap ones first.
pub fn all(args: &RunArgs, usual: u64) -> Vec<Question> {
    let plan = args.plan(args.events);
    let field = if args.mix.fields > 4 {
        "newsletter"
    } else {
        "mail"
    };
    let middle = plan.since + (plan.days * DAY / 2.0) as i64;
    let (usual, hot) = (usual.to_string(), plan.hot_profile().to_string());
    let at = |seconds: i64| format!("@{}", middle + seconds);
    let (now, hour, day) = (at(0), at(3_600), at(DAY as i64));
    let (often, seldom) = (args.times.max(1), args.times_at_most(TIMES_OVER_ALL));
    let question = Question::new;
    let changes = |until| {
        [
            "changes", "--field", field, "--since", &now, "--until", until,
        ]
    };
    // All fields in a day.
    let over = |command| [command, "--since", &now, "--until", &day];
    vec![
        question("history", often, &["history", &usual]),
        question("field", often, &["history", &usual, "--field", field]),
        question("as-of", often, &["show", &usual, "--at", &now]),
        question("hour", often, &changes(&hour)),
        question("day", often, &changes(&day)),
        question("report", often, &over("report")),
        question("gaps", often, &over("gaps")),
        question("incidents", often, &over("incidents")),
        question("loops", often, &over("loops")),
        question("stats", seldom, &["stats"]),
        question("hot", seldom, &["history", &hot]),
        question("changes of a field", seldom, &["changes", "--field", field]),
        question("changes", seldom, &["changes"]),
        question("export", seldom, &["export"]),
        question("export --raw", seldom, &["export", "--raw"]),
    ]
}

/// A profile with about the usual number of events, and that number.
pub fn usual_profile(binary: &Path, data: &Path, plan: &Plan) -> anyhow::Result<(u64, u64)> {
    let mut best = (1, 0_u64);
    for profile in 1..=plan.profiles.min(TRIED) {
        let Timed { lines, .. } = ask(binary, data, &["history", &profile.to_string()], 1)?;
        if lines.abs_diff(USUAL) < best.1.abs_diff(USUAL) {
            best = (profile, lines);
        }
        if best.1 == USUAL {
            break;
        }
    }
    Ok(best)
}
