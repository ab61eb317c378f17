//! Progress for people who wait.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A wait shorter than this is not told of.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bar on standard error that appears when something takes longer than a
/// second; nothing where that is no terminal.
pub struct Bar {
    what: &'static str,
    shown: bool,
    begun: Instant,
    bar: Option<ProgressBar>,
}

impl Bar {
    /// A bar that says what is being done.
    pub fn new(what: &'static str, shown: bool) -> Self {
        Self {
            what,
            shown,
            begun: Instant::now(),
            bar: None,
        }
    }

    /// Moves it.
    pub fn set(&mut self, done: u64, all: u64) {
        if !self.shown || self.begun.elapsed() < PATIENCE {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(Some(all), ProgressDrawTarget::stderr());
            let template = "{msg} {bar:30} {human_pos}/{human_len} {per_sec}, {eta} left";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.with_message(self.what)
        });
        bar.set_length(all);
        bar.set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
