//! The guide that `demo` prints: the addresses, the page, and the questions.
//!
//! It is for a reader who has never seen the program. Every command can be pasted into
//! another terminal, in any folder.

use std::net::SocketAddr;
use std::path::Path;

use crate::cli::output::broken;
use crate::format::{counted, shell, wrapped};
use crate::ops::demo::{Story, questions};

/// The default number of columns, and the minimum and maximum for prose.
const WIDTH: usize = 80;
const MIN_WIDTH: usize = 40;
const MAX_WIDTH: usize = 100;

/// The indentation of commands and hints.
const INDENT: &str = "   ";

pub(super) struct Guide<'a> {
    pub story: &'a Story,
    /// The program and the data folder, as words for a shell.
    pub program: String,
    pub data: String,
    /// Whether the folder stays.
    pub kept: bool,
    pub calls: SocketAddr,
    pub page: Option<SocketAddr>,
    pub token: &'a str,
    pub width: Option<usize>,
}

impl Guide<'_> {
    pub fn text(&self) -> String {
        let calls = counted(self.story.calls.len() as u64, "call");
        let until = match self.kept {
            true => "and stays there. Ctrl-C ends this.",
            false => "until Ctrl-C ends this.",
        };
        let mut text = String::from("\n");
        let place = format!(
            "A small shop's fortnight, {calls}, is in {} {until}",
            self.data
        );
        text += &self.prose("", &place);
        if let Some(page) = self.page {
            let open = "To look at it, open this in a browser; the token behind the # lets you in:";
            text += &format!(
                "\n{}\n{INDENT}http://{page}/#{}\n",
                self.prose("", open),
                self.token
            );
        }
        let ask =
            "Five questions, with the commands that answer them; type these in another terminal:";
        text += &format!("\n{}", self.prose("", ask));
        for (number, asked) in (1..).zip(questions(self.story)) {
            let question = self.prose(INDENT, &asked.question);
            let question = question.strip_prefix(INDENT).unwrap_or(&question);
            text += &format!("\n{number}. {question}\n");
            for command in &asked.commands {
                let command = command.iter().map(|text| shell(text)).collect::<Vec<_>>();
                let (program, command, data) = (&self.program, command.join(" "), &self.data);
                text += &self.command(&format!("{program} {command} --data {data}"));
            }
            text += &format!("\n{}", self.prose(INDENT, &asked.hint));
        }
        let calls = "It accepts calls, too, and the page shows them as they arrive:";
        text += &format!("\n{}\n", self.prose("", calls));
        let form = format!(
            "type=update&profile={}&parameters[newsletter]=Nee",
            self.story.mind.profile
        );
        let target = format!("http://{}/webhook/by-hand", self.calls);
        text += &self.command(&format!("curl {target} --data {}", shell(&form)));
        text
    }

    /// A paragraph, with line ends.
    fn prose(&self, indent: &str, text: &str) -> String {
        let width = self.width.unwrap_or(WIDTH).clamp(MIN_WIDTH, MAX_WIDTH);
        indented(indent, &wrapped(text, width.saturating_sub(indent.len())))
    }

    /// A command, over several lines if it is too long for one.
    fn command(&self, command: &str) -> String {
        let width = self.width.unwrap_or(WIDTH).max(MIN_WIDTH);
        indented(INDENT, &broken(command, Some(width - INDENT.len())))
    }
}

fn indented(indent: &str, lines: &[String]) -> String {
    let lines = lines.iter().map(|line| format!("{indent}{line}\n"));
    lines.collect()
}

/// The program, as a shell finds it from any folder.
pub(super) fn program() -> String {
    let called = std::env::args_os().next().unwrap_or_default();
    let called = Path::new(&called);
    let found_by_path = called.components().count() == 1;
    let path = match found_by_path {
        true => called.to_owned(),
        false => std::path::absolute(called).unwrap_or_else(|_| "profiletrail".into()),
    };
    shell(&path.to_string_lossy())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::ops::demo::SEED;

    const TOKEN: &str = "ptr_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

    fn guide(story: &Story, width: Option<usize>) -> Guide<'_> {
        Guide {
            story,
            program: "profiletrail".to_owned(),
            data: "/tmp/profiletrail-demo-x1Yz2A".to_owned(),
            kept: false,
            calls: "127.0.0.1:8080".parse().unwrap(),
            page: Some("127.0.0.1:65535".parse().unwrap()),
            token: TOKEN,
            width,
        }
    }

    fn text(story: &Story, width: Option<usize>) -> String {
        guide(story, width).text()
    }

    #[test]
    fn nothing_is_wider_than_the_terminal() {
        let story = Story::generate(SEED, 1_773_658_967);
        for width in [None, Some(80), Some(100), Some(200)] {
            let text = self::tests::text(&story, width);
            let most = width.unwrap_or(WIDTH);
            let wide: Vec<&str> = text.lines().filter(|line| line.len() > most).collect();
            assert!(wide.is_empty(), "{width:?}: {wide:?}");
        }
        // On a narrow terminal, commands are not shortened.
        let narrow = text(&story, Some(20));
        assert!(
            narrow.contains("   profiletrail gaps \\\n       --data /tmp/"),
            "{narrow}"
        );
        assert!(narrow.contains("city-3923 --out fix.csv \\\n"), "{narrow}");
        assert!(text(&story, Some(200)).contains("--out fix.csv --data /tmp/"));
    }

    #[test]
    fn a_long_path_of_the_program_takes_lines_of_its_own() {
        let story = Story::generate(SEED, 1_773_658_967);
        for length in 1..=75 {
            let program = "p".repeat(length);
            let guide = Guide {
                program: program.clone(),
                data: "/tmp/profiletrail-demo-x1Yz2A".to_owned(),
                ..guide(&story, None)
            };
            let text = guide.text();
            let wide = text.lines().find(|line| line.chars().count() > WIDTH);
            assert_eq!(wide, None, "{length}");
            // A shell reads the same words at any length.
            let joined = text.replace(" \\\n", " ");
            let commands = joined.lines().filter(|line| line.contains("--data /tmp/"));
            let words: Vec<Vec<&str>> = commands
                .map(|line| line.split_whitespace().skip(1).collect())
                .collect();
            assert_eq!(words.len(), 9);
            assert_eq!(
                words[1],
                "incidents undo city-3923 --out fix.csv --data /tmp/profiletrail-demo-x1Yz2A"
                    .split(' ')
                    .collect::<Vec<_>>()
            );
            assert!(joined.contains(&format!("   {program} ")));
        }
    }
}
