//! Standard output for answers: through a pager where a person reads it and it
//! is longer than the screen.
//!
//! What fits on the screen is held back and written as it is; with the first
//! line more the pager is started. A pager that cannot be started is done
//! without, and one that is left early ends the command well: its reader has
//! seen enough. As long as it runs an interrupt is the pager's.

use std::io::{self, BufWriter, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use signal_hook::consts::SIGINT;

use super::setting::Setting;
use super::{Stdout, tell_closed};

/// The most bytes that are held back.
const HELD: usize = 1 << 20;

/// What a shell says of a program that is not there.
const NOT_THERE: i32 = 127;

/// Standard output for an answer.
pub struct Screen(State);

enum State {
    /// No pager is wanted.
    Plain(BufWriter<Stdout>),
    /// It may still fit on the screen.
    Held(Held),
    /// A pager has it.
    Paged(Paged),
}

/// What may still fit on the screen.
struct Held {
    bytes: Vec<u8>,
    rows: Rows,
    /// How many rows fit, with the prompt below them.
    most: usize,
    pager: String,
}

impl Screen {
    /// Standard output as it is.
    pub fn new(setting: &Setting) -> Self {
        let Some((pager, (columns, rows))) = setting.pager.clone().zip(setting.screen) else {
            return Self(plain());
        };
        Self(State::Held(Held {
            bytes: Vec::new(),
            rows: Rows::new(columns),
            most: rows.saturating_sub(1),
            pager,
        }))
    }

    /// The same for what a question follows: that must not wait for a pager, which
    /// ends the command when it is left.
    pub fn unpaged() -> Self {
        Self(plain())
    }

    /// Writes what is left, and waits until the pager is left.
    pub fn finish(mut self) -> io::Result<()> {
        if let State::Held(held) = &mut self.0 {
            let bytes = std::mem::take(&mut held.bytes);
            self.0 = plain();
            self.write_all(&bytes)?;
        }
        match &mut self.0 {
            State::Plain(out) => out.flush(),
            State::Paged(paged) => paged.finish(),
            State::Held(_) => Ok(()),
        }
    }
}

fn plain() -> State {
    State::Plain(BufWriter::with_capacity(1 << 16, Stdout::new()))
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            State::Plain(out) => out.write(bytes),
            State::Paged(paged) => paged.write(bytes),
            State::Held(held) => {
                held.bytes.extend_from_slice(bytes);
                held.rows.take(bytes);
                if held.rows.count <= held.most && held.bytes.len() <= HELD {
                    return Ok(bytes.len());
                }
                let all = std::mem::take(&mut held.bytes);
                self.0 = match Paged::start(&held.pager) {
                    Ok(paged) => State::Paged(paged),
                    // Better unpaged than unread.
                    Err(_) => plain(),
                };
                self.write_all(&all)?;
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            State::Plain(out) => out.flush(),
            State::Paged(paged) => paged.flush(),
            State::Held(_) => Ok(()),
        }
    }
}

/// Counts the rows that text takes on a screen.
struct Rows {
    columns: usize,
    count: usize,
    column: usize,
    /// In a colour's sequence, which takes no room.
    escaped: bool,
}

impl Rows {
    fn new(columns: usize) -> Self {
        Self {
            columns: columns.max(1),
            count: 0,
            column: 0,
            escaped: false,
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' => {
                    self.count += 1;
                    self.column = 0;
                }
                0x1b => self.escaped = true,
                b'm' if self.escaped => self.escaped = false,
                _ if self.escaped => {}
                // The bytes of a character after its first.
                0x80..=0xbf => {}
                _ if self.column >= self.columns => {
                    self.count += 1;
                    self.column = 1;
                }
                _ => self.column += 1,
            }
        }
    }
}

/// A running pager.
struct Paged {
    stdin: Option<BufWriter<ChildStdin>>,
    /// All was written: from here on the pager may end.
    finished: Arc<AtomicBool>,
    waiter: Option<JoinHandle<()>>,
}

/// The program and its arguments, by the shell where it is more than words.
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

impl Paged {
    fn start(pager: &str) -> io::Result<Self> {
        let mut command = command(pager);
        // Colours are shown, what fits needs no key, and it stays on the screen.
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
        let (known, name) = (Arc::clone(&finished), pager.to_owned());
        let waiter = std::thread::Builder::new()
            .name("pager".to_owned())
            .spawn(move || wait(child, &name, &known, &interrupted))?;
        Ok(Self {
            stdin,
            finished,
            waiter: Some(waiter),
        })
    }

    /// Lets the pager have all, and waits for its end.
    fn finish(&mut self) -> io::Result<()> {
        let flushed = self.flush();
        self.finished.store(true, Ordering::Release);
        // Its input ends with this.
        self.stdin = None;
        if let Some(waiter) = self.waiter.take() {
            // It does not panic.
            let _ = waiter.join();
        }
        flushed
    }
}

/// Waits for the pager's end. One that ends before all was written has been left:
/// nobody reads on, so the command ends as well, whatever it is at.
fn wait(mut child: Child, pager: &str, finished: &AtomicBool, interrupted: &AtomicBool) {
    let status = child.wait();
    let missing = status.is_ok_and(|status| status.code() == Some(NOT_THERE));
    if missing {
        super::say(&format!(
            "profiletrail: the pager {pager:?} could not be started: set PROFILETRAIL_PAGER, or add --no-pager"
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

impl Write for Paged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.stdin {
            Some(stdin) => stdin.write(bytes).map_err(tell_closed),
            None => Err(tell_closed(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.stdin {
            Some(stdin) => stdin.flush().map_err(tell_closed),
            None => Ok(()),
        }
    }
}

impl Drop for Paged {
    fn drop(&mut self) {
        // After a failure: what is said of it stands below what was read.
        let _ = self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_as_a_screen_shows_them() {
        for (text, columns, rows) in [
            ("", 10, 0),
            ("a\nb\n", 10, 2),
            ("0123456789\n", 10, 1),
            ("0123456789a\n", 10, 2),
            ("\u{1b}[31;1m0123456789\u{1b}[0m\n", 10, 1),
            ("éééééééééé\n", 10, 1),
            ("abc", 0, 2),
        ] {
            let mut counted = Rows::new(columns);
            counted.take(text.as_bytes());
            assert_eq!(counted.count, rows, "{text:?}");
        }
    }

    #[test]
    fn only_words_go_without_a_shell() {
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
