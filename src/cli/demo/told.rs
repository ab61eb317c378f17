//! What `demo` says: where it is, how to look at it, and what to ask.
//!
//! It is for somebody who has never seen the program. Every command stands as
//! it can be pasted into another terminal, whatever the folder is there.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

use super::super::{Stdout, is_closed_pipe};
use crate::format::{counted, plain, width_of, wrapped};
use crate::ops::demo::{Story, questions};

/// The columns where nobody tells of others, and the fewest and most of prose.
const WIDTH: usize = 80;
const LEAST: usize = 40;
const MOST: usize = 100;

/// What tells a shell that a command goes on in the next line.
const CONTINUED: &str = " \\";

/// How far commands and what is said of them stand in.
const INDENT: &str = "   ";

/// What there is to say.
pub(super) struct Told<'a> {
    pub story: &'a Story,
    /// The program and the data folder, as a shell takes them.
    pub program: String,
    pub data: String,
    /// Whether the folder stays.
    pub kept: bool,
    /// Where calls go.
    pub calls: SocketAddr,
    /// Where the page is.
    pub page: Option<SocketAddr>,
    /// What lets one in there.
    pub token: &'a str,
    /// The columns of the terminal.
    pub width: Option<usize>,
}

impl Told<'_> {
    /// Writes it. That nobody reads it is no failure: the server is there all
    /// the same.
    pub fn write(&self) -> anyhow::Result<()> {
        let mut stdout = Stdout::new();
        let told = stdout
            .write_all(self.text().as_bytes())
            .and_then(|()| stdout.flush());
        match told.map_err(anyhow::Error::from) {
            Err(error) if is_closed_pipe(&error) => Ok(()),
            told => told,
        }
    }

    fn text(&self) -> String {
        let mut lines = Vec::new();
        let calls = counted(self.story.calls.len() as u64, "call");
        let until = match self.kept {
            true => "and stays there. Ctrl-C ends this.",
            false => "until Ctrl-C ends this.",
        };
        lines.push(String::new());
        lines.extend(self.prose(
            "",
            &format!(
                "A small shop's fortnight, {calls}, is in {} {until}",
                self.data
            ),
        ));
        if let Some(page) = self.page {
            lines.push(String::new());
            lines.extend(self.prose(
                "",
                "To look at it, open this in a browser; the token behind the # lets you in:",
            ));
            lines.push(String::new());
            lines.push(format!("{INDENT}http://{page}/#{}", self.token));
        }
        lines.push(String::new());
        lines.extend(self.prose(
            "",
            "Five questions, with the commands that answer them; type these in another terminal:",
        ));
        for (number, asked) in (1..).zip(questions(self.story)) {
            let question = self.prose(INDENT, &asked.question);
            lines.push(String::new());
            for (place, line) in question.into_iter().enumerate() {
                lines.push(match (place, line.strip_prefix(INDENT)) {
                    (0, Some(line)) => format!("{number}. {line}"),
                    _ => line,
                });
            }
            lines.push(String::new());
            for command in &asked.commands {
                let command = command.iter().map(|text| word(text));
                let data = ["--data".to_owned(), self.data.clone()];
                let words = std::iter::once(self.program.clone())
                    .chain(command)
                    .chain(data);
                lines.extend(self.command(words));
            }
            lines.push(String::new());
            lines.extend(self.prose(INDENT, &asked.hint));
        }
        lines.push(String::new());
        lines.extend(self.prose(
            "",
            "It takes calls, too, and the page shows them as they come:",
        ));
        lines.push(String::new());
        let form = format!(
            "type=update&profile={}&parameters[newsletter]=Nee",
            self.story.mind.profile
        );
        let target = format!("http://{}/webhook/by-hand", self.calls);
        let words = ["curl".to_owned(), target, "--data".to_owned(), word(&form)];
        lines.extend(self.command(words));
        let lines = lines.iter().map(|line| plain(line) + "\n");
        lines.collect()
    }

    fn prose(&self, indent: &str, text: &str) -> Vec<String> {
        let width = self.width.unwrap_or(WIDTH).clamp(LEAST, MOST);
        let lines = wrapped(text, width.saturating_sub(indent.len()));
        let indented = lines.into_iter().map(|line| format!("{indent}{line}"));
        indented.collect()
    }

    /// A command; where it is too long for a line, parted before flags, and what
    /// is too long even then before other words, but no flag from its value; in a
    /// way that a shell takes it for one.
    fn command(&self, words: impl IntoIterator<Item = String>) -> Vec<String> {
        let width = self.width.unwrap_or(WIDTH);
        let room = width.max(LEAST) - INDENT.len() - CONTINUED.len();
        let mut parts: Vec<String> = Vec::new();
        for word in words {
            let goes_with = |part: &String| {
                let fits = width_of(part) + 1 + width_of(&word) <= room;
                !word.starts_with("--") && (fits || part.starts_with("--"))
            };
            match parts.last_mut().filter(|part| goes_with(part)) {
                Some(part) => {
                    part.push(' ');
                    part.push_str(&word);
                }
                None => parts.push(word),
            }
        }
        let mut lines = Vec::new();
        let mut line = INDENT.to_owned();
        let mut parts = parts.into_iter().peekable();
        while let Some(part) = parts.next() {
            line += &part;
            let ending = if parts.len() > 1 { CONTINUED.len() } else { 0 };
            let Some(next) = parts.peek() else { break };
            if width_of(&line) + 1 + width_of(next) + ending <= width {
                line.push(' ');
            } else {
                lines.push(line + CONTINUED);
                line = INDENT.repeat(2);
            }
        }
        lines.push(line);
        lines
    }
}

/// The program, as a shell finds it from whatever folder.
pub(super) fn program() -> String {
    let called = std::env::args_os().next().unwrap_or_default();
    let called = Path::new(&called);
    let found_by_path = called.components().count() == 1;
    let path = match found_by_path {
        true => called.to_owned(),
        false => std::path::absolute(called).unwrap_or_else(|_| "profiletrail".into()),
    };
    word(&path.to_string_lossy())
}

/// What a shell takes for one word.
pub(super) fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-,:@%+=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::ops::demo::SEED;

    const TOKEN: &str = "ptr_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

    fn shown(story: &Story, width: Option<usize>) -> Told<'_> {
        Told {
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

    fn told(story: &Story, width: Option<usize>) -> String {
        shown(story, width).text()
    }

    #[test]
    fn nothing_is_wider_than_the_terminal() {
        let story = Story::generate(SEED, 1_773_658_967);
        for width in [None, Some(80), Some(100), Some(200)] {
            let text = told(&story, width);
            let most = width.unwrap_or(WIDTH);
            let wide: Vec<&str> = text.lines().filter(|line| line.len() > most).collect();
            assert!(wide.is_empty(), "{width:?}: {wide:?}");
        }
        // Where it is narrow, commands are as long as they are.
        let narrow = told(&story, Some(20));
        assert!(
            narrow.contains("   profiletrail gaps \\\n      --data /tmp/"),
            "{narrow}"
        );
        assert!(
            narrow.contains("city-3923 \\\n      --out fix.csv \\\n"),
            "{narrow}"
        );
        assert!(told(&story, Some(200)).contains("--out fix.csv --data /tmp/"));
    }

    #[test]
    fn a_long_path_of_the_program_takes_lines_of_its_own() {
        let story = Story::generate(SEED, 1_773_658_967);
        for length in 1..=75 {
            let program = "p".repeat(length);
            let told = Told {
                program: program.clone(),
                data: "/tmp/profiletrail-demo-x1Yz2A".to_owned(),
                ..shown(&story, None)
            };
            let text = told.text();
            let wide = text.lines().find(|line| width_of(line) > WIDTH);
            assert_eq!(wide, None, "{length}");
            // A shell reads the same words whatever the length.
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

    #[test]
    fn a_shell_takes_a_word_for_one() {
        for (text, told) in [
            ("mail=a@b.nl", "mail=a@b.nl"),
            ("", "''"),
            ("3 days ago", "'3 days ago'"),
            ("it's", "'it'\\''s'"),
            ("$(x)", "'$(x)'"),
        ] {
            assert_eq!(word(text), told);
        }
    }
}
