//! Progress on the terminal.

use std::fmt;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::query::{Progress, Stage};
use crate::server::control::Control;

/// A shorter wait shows no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bar on standard error that appears when something takes longer than a
/// second; nothing if that is not a terminal.
pub struct Bar {
    what: &'static str,
    shown: bool,
    begun: Instant,
    bar: Option<ProgressBar>,
}

impl Bar {
    pub fn new(what: &'static str, shown: bool) -> Self {
        Self {
            what,
            shown,
            begun: Instant::now(),
            bar: None,
        }
    }

    pub fn set(&mut self, done: u64, all: u64) {
        if !self.shown || self.begun.elapsed() < PATIENCE {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(Some(all), ProgressDrawTarget::stderr());
            let template = "{msg} {bar:30} {human_pos}/{human_len} {rate}/s, {eta} left";
            if let Ok(style) = ProgressStyle::with_template(template) {
                let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
                    // Progress that cannot be shown is left out.
                    let _ = write!(out, "{}", HumanCount(state.per_sec() as u64));
                };
                bar.set_style(style.with_key("rate", rate));
            }
            bar.with_message(self.what)
        });
        bar.set_length(all);
        bar.set_position(done);
    }

    /// The same for a named task: each task has its own bar, rate and remaining time.
    pub fn set_of(&mut self, what: &'static str, done: u64, all: u64) {
        if self.what != what {
            self.clear();
            self.what = what;
        }
        self.set(done, all);
    }

    /// Shows the progress that a control line reports.
    pub fn show(&mut self, control: &Control) {
        if let Control::Progress(Progress { stage, done, all }) = control {
            let what = match stage {
                // The command says what it does.
                Stage::Working => self.what,
                stage => stage.text(),
            };
            self.set_of(what, *done, *all);
        }
    }

    /// Removes it from the terminal for good.
    pub fn hide(&mut self) {
        self.clear();
        self.shown = false;
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}
