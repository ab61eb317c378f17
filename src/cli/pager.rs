//! Standard output of answers, through a pager on a terminal.
//!
//! As in git, all output to a terminal goes through the pager. `LESS` defaults to `FRX`,
//! so that less shows colours and exits at once if everything fits on the screen. The
//! pager starts with the first byte, so an answer that fails earlier starts none. If no
//! pager can be started, output goes to the terminal. If the reader quits the pager
//! early, the command ends with success. While the pager runs, it handles interrupts.

use std::io::{self, BufWriter, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use signal_hook::consts::SIGINT;

use super::{CommandContext, Format, mark_closed};
use crate::format::is_unsafe;

/// A shell's exit status for a program that does not exist.
const NOT_FOUND: i32 = 127;

pub struct PagedStdout {
    pager: Option<String>,
    /// Whether characters that control a terminal are escaped.
    escapes: bool,
    out: Option<BufWriter<Box<dyn Write>>>,
    running: Option<Running>,
}

struct Running {
    /// All was written: from here on the pager may end.
    finished: Arc<AtomicBool>,
    waiter: JoinHandle<()>,
}

impl PagedStdout {
    /// Standard output for an answer in a form, through the pager if one is wanted.
    /// Output for programs can hold characters that control a terminal.
    pub fn new(context: &CommandContext, format: Format) -> Self {
        Self {
            pager: context.pager.clone(),
            escapes: context.escapes(format),
            out: None,
            running: None,
        }
    }

    /// Standard output without a pager, for example before a prompt: leaving a pager would
    /// end the command. On a terminal, text for programs `escapes` characters that control it.
    pub const fn unpaged(escapes: bool) -> Self {
        Self {
            pager: None,
            escapes,
            out: None,
            running: None,
        }
    }

    fn out(&mut self) -> &mut dyn Write {
        let (pager, running, escapes) = (&self.pager, &mut self.running, self.escapes);
        self.out.get_or_insert_with(|| {
            // Better unpaged than unread.
            let started = pager.as_deref().and_then(|pager| start(pager).ok());
            let out: Box<dyn Write> = match started {
                Some((stdin, pager)) => {
                    *running = Some(pager);
                    Box::new(stdin)
                }
                None => Box::new(io::stdout().lock()),
            };
            let out = if escapes {
                Box::new(Escaped::new(out))
            } else {
                out
            };
            BufWriter::with_capacity(1 << 16, out)
        })
    }

    /// Writes the rest, and waits until the reader leaves the pager.
    pub fn finish(mut self) -> io::Result<()> {
        self.close()
    }

    fn close(&mut self) -> io::Result<()> {
        let Some(mut out) = self.out.take() else {
            return Ok(());
        };
        let flushed = out.flush().map_err(mark_closed);
        let running = self.running.take();
        if let Some(running) = &running {
            running.finished.store(true, Ordering::Release);
        }
        drop(out);
        if let Some(running) = running {
            // The thread does not panic.
            let _ = running.waiter.join();
        }
        flushed
    }
}

impl Write for PagedStdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out().write(bytes).map_err(mark_closed)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out().flush().map_err(mark_closed)
    }
}

impl Drop for PagedStdout {
    fn drop(&mut self) {
        // After a failure, its message is printed below the output.
        let _ = self.close();
    }
}

/// The program and its arguments; a shell runs anything but plain words.
fn command(pager: &str) -> Command {
    let is_plain = |c: char| c.is_alphanumeric() || " -_./+,".contains(c);
    let mut words = pager.split_whitespace();
    match words.next().filter(|_| pager.chars().all(is_plain)) {
        Some(program) => {
            let mut command = Command::new(program);
            command.args(words);
            command
        }
        None => {
            let mut command = Command::new("sh");
            command.arg("-c").arg(pager);
            command
        }
    }
}

fn start(pager: &str) -> io::Result<(ChildStdin, Running)> {
    let mut command = command(pager);
    for (name, value) in [("LESS", "FRX"), ("LV", "-c")] {
        if std::env::var_os(name).is_none() {
            command.env(name, value);
        }
    }
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    let stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    signal_hook::flag::register(SIGINT, Arc::new(AtomicBool::new(false)))?;
    let finished = Arc::new(AtomicBool::new(false));
    let (is_finished, name) = (Arc::clone(&finished), pager.to_owned());
    let waiter = std::thread::Builder::new()
        .name("pager".to_owned())
        .spawn(move || wait(child, &name, &is_finished))?;
    Ok((stdin, Running { finished, waiter }))
}

/// Waits for the pager's end. If it ends before all output was written, nobody reads the
/// rest, and the command ends at once.
fn wait(mut child: Child, pager: &str, finished: &AtomicBool) {
    let status = child.wait();
    if status.is_ok_and(|status| status.code() == Some(NOT_FOUND)) {
        message!("cannot start the pager {pager:?}: set PROFILETRAIL_PAGER, or add --no-pager");
    }
    if !finished.load(Ordering::Acquire) {
        std::process::exit(0);
    }
}

/// Writes characters that would control the terminal as `\u009b`, which JSON reads back.
pub struct Escaped<W> {
    out: W,
    /// The first bytes of a character whose others have not arrived.
    held: Vec<u8>,
}

impl<W: Write> Escaped<W> {
    pub const fn new(out: W) -> Self {
        Self {
            out,
            held: Vec::new(),
        }
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        let mut safe = String::with_capacity(text.len());
        for c in text.chars() {
            if is_unsafe(c) && !matches!(c, '\n' | '\r' | '\t') {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    safe += &format!("\\u{unit:04x}");
                }
            } else {
                safe.push(c);
            }
        }
        self.out.write_all(safe.as_bytes())
    }
}

impl<W: Write> Write for Escaped<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut text = std::mem::take(&mut self.held);
        text.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&text) {
            // The last character is not complete yet.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => text.len(),
        };
        let (whole, held) = text.split_at(whole);
        self.put(&String::from_utf8_lossy(whole))?;
        self.held = held.to_vec();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
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

    #[test]
    fn nothing_that_controls_a_terminal_gets_through() {
        let line = "{\"a\":\"é\u{9b}31m\u{202e}😀\u{e0001}\"}\n1;\u{1b}[2J\r\n";
        for size in [1, 2, 3, 100] {
            let mut bytes = Vec::new();
            let mut out = Escaped::new(&mut bytes);
            for part in line.as_bytes().chunks(size) {
                out.write_all(part).unwrap();
            }
            let text = String::from_utf8(bytes).unwrap();
            assert_eq!(
                text,
                "{\"a\":\"é\\u009b31m\\u202e😀\\udb40\\udc01\"}\n1;\\u001b[2J\r\n"
            );
            let read: serde_json::Value =
                serde_json::from_str(text.lines().next().unwrap()).unwrap();
            assert_eq!(read["a"], "é\u{9b}31m\u{202e}😀\u{e0001}");
        }
    }
}
