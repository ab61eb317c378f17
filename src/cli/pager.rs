//! Standard output of answers, through a pager on a terminal.
//!
//! As with git, all output to a terminal goes through the pager, and `LESS` defaults
//! to `FRX`, so that less shows colours and exits at once if everything fits on the
//! screen. The pager starts with the first byte, so an answer that fails earlier
//! starts none. If no pager can be started, output goes to the terminal. If the
//! reader quits the pager early, the command ends with success. While the pager
//! runs, it handles interrupts.

use std::io::{self, BufWriter, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use signal_hook::consts::SIGINT;

use super::context::CommandContext;
use super::{Stdout, mark_closed};

/// A shell's exit status for a program that does not exist.
const NOT_FOUND: i32 = 127;

/// Standard output for an answer.
pub struct PagedStdout {
    pager: Option<String>,
    out: Option<Output>,
}

enum Output {
    Direct(BufWriter<Stdout>),
    Paged(Pager),
}

impl PagedStdout {
    /// Standard output, through the pager if there is to be one.
    pub fn new(context: &CommandContext) -> Self {
        Self {
            pager: context.pager.clone(),
            out: None,
        }
    }

    /// Standard output before a prompt: a pager would end the command when it is
    /// left.
    pub const fn unpaged() -> Self {
        Self {
            pager: None,
            out: None,
        }
    }

    fn out(&mut self) -> &mut dyn Write {
        let pager = &self.pager;
        let out = self.out.get_or_insert_with(|| {
            let started = pager.as_deref().map(Pager::start);
            match started {
                Some(Ok(pager)) => Output::Paged(pager),
                // Better unpaged than unread.
                Some(Err(_)) | None => {
                    Output::Direct(BufWriter::with_capacity(1 << 16, Stdout::new()))
                }
            }
        });
        match out {
            Output::Direct(out) => out,
            Output::Paged(out) => out,
        }
    }

    /// Writes what is left, and waits until the pager is left.
    pub fn finish(self) -> io::Result<()> {
        match self.out {
            None => Ok(()),
            Some(Output::Direct(mut out)) => out.flush(),
            Some(Output::Paged(mut out)) => out.finish(),
        }
    }
}

impl Write for PagedStdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out().flush()
    }
}

/// A running pager.
struct Pager {
    stdin: Option<BufWriter<ChildStdin>>,
    /// All was written: from here on the pager may end.
    finished: Arc<AtomicBool>,
    waiter: Option<JoinHandle<()>>,
}

/// The program and its arguments; by a shell where they are more than plain words.
fn command(pager: &str) -> Command {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '+' | ',');
    let mut words = pager.split_whitespace();
    match words.next() {
        Some(program) if pager.chars().all(|c| is_word(c) || c == ' ') => {
            let mut command = Command::new(program);
            command.args(words);
            command
        }
        _ => {
            let mut command = Command::new("sh");
            command.arg("-c").arg(pager);
            command
        }
    }
}

impl Pager {
    fn start(pager: &str) -> io::Result<Self> {
        let mut command = command(pager);
        for (name, value) in [("LESS", "FRX"), ("LV", "-c")] {
            if std::env::var_os(name).is_none() {
                command.env(name, value);
            }
        }
        let mut child = command.stdin(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take().map(BufWriter::new);
        let interrupted = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGINT, Arc::clone(&interrupted))?;
        let finished = Arc::new(AtomicBool::new(false));
        let (is_finished, name) = (Arc::clone(&finished), pager.to_owned());
        let waiter = std::thread::Builder::new()
            .name("pager".to_owned())
            .spawn(move || wait(child, &name, &is_finished, &interrupted))?;
        Ok(Self {
            stdin,
            finished,
            waiter: Some(waiter),
        })
    }

    /// Closes the pager's input, and waits for its end.
    fn finish(&mut self) -> io::Result<()> {
        let flushed = self.flush();
        self.finished.store(true, Ordering::Release);
        self.stdin = None;
        if let Some(waiter) = self.waiter.take() {
            // It does not panic.
            let _ = waiter.join();
        }
        flushed
    }
}

/// Waits for the pager's end. If it ends before all was written, nobody reads on,
/// and the command ends too, whatever it is doing.
fn wait(mut child: Child, pager: &str, finished: &AtomicBool, interrupted: &AtomicBool) {
    let status = child.wait();
    let missing = status.is_ok_and(|status| status.code() == Some(NOT_FOUND));
    if missing {
        super::say(&format!(
            "profiletrail: cannot start the pager {pager:?}: set PROFILETRAIL_PAGER, or add --no-pager"
        ));
    }
    if finished.load(Ordering::Acquire) {
        return;
    }
    if interrupted.load(Ordering::Acquire) {
        // Does not come back.
        let _ = signal_hook::low_level::emulate_default_handler(SIGINT);
    }
    std::process::exit(0);
}

impl Write for Pager {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.stdin {
            Some(stdin) => stdin.write(bytes).map_err(mark_closed),
            None => Err(mark_closed(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.stdin {
            Some(stdin) => stdin.flush().map_err(mark_closed),
            None => Ok(()),
        }
    }
}

impl Drop for Pager {
    fn drop(&mut self) {
        // After a failure, its message is printed below what was read.
        let _ = self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_words_run_without_a_shell() {
        for (pager, program) in [
            ("less", "less"),
            ("less -S", "less"),
            ("/usr/bin/less", "/usr/bin/less"),
            ("LESS=x less", "sh"),
            ("less | cat", "sh"),
            ("$HOME/p", "sh"),
        ] {
            assert_eq!(command(pager).get_program(), program, "{pager}");
        }
    }
}
