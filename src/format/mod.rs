//! Formatting for the terminal, the page and CSV: values and their differences, times,
//! numbers, names, widths, and the escaping of untrusted text.
//!
//! Not here: output and layout (`cli::output`, `web`). Invariant: external text passes
//! through [`plain`] before it is in a [`Text`], so it cannot control a terminal or hide.

mod difference;
mod names;
mod printer;
mod sanitize;
mod text;
mod value;
mod view;

pub use difference::{Cut, differing};
pub use names::{
    counted, events, first_of, grouped, is_at_latest, label, listed, of_many, shell, size, who,
};
pub use printer::{LineSplitter, Printer};
pub use sanitize::{is_unsafe, plain};
pub use text::{Role, Styles, Text, head, middle, tail, width_of, wrapped};
pub use value::{Change, Side, quoted, subject, value_text};
pub use view::{View, format_duration, seconds_of, shown};
