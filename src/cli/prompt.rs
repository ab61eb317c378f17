//! Asks for confirmation of irreversible actions.

use super::{ExitStatus, UsageError};
use std::io::{BufRead, IsTerminal, Write, stderr, stdin};

use anyhow::Context as _;

/// Fails without a terminal; the error names the alternative.
pub fn require_terminal(instead: &str) -> Result<(), UsageError> {
    if stdin().is_terminal() && stderr().is_terminal() {
        Ok(())
    } else {
        Err(UsageError::new(instead))
    }
}

/// Asks on the terminal; only `y` and `yes` agree.
pub fn confirm(question: &str) -> anyhow::Result<bool> {
    let mut terminal = stderr();
    write!(terminal, "{question} [y/N] ")?;
    terminal.flush()?;
    let mut answer = String::new();
    let read = stdin().lock().read_line(&mut answer);
    read.context("reading the answer")?;
    let answer = answer.trim();
    Ok(answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes"))
}

/// The exit status after a declined prompt.
pub fn declined() -> ExitStatus {
    message!("nothing was changed");
    ExitStatus::Nothing
}
