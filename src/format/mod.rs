//! Formatting for the terminal, the page and CSV: values and their differences, times,
//! numbers, names, widths, and the escaping of untrusted text.
//!
//! Not here: output and layout (`cli::output`, `web`). Invariant: external text passes
//! through [`plain`] before it is in a [`Text`], so it cannot control a terminal or hide.

mod difference;
mod names;
mod number;
mod printer;
mod sanitize;
mod style;
mod text;
mod value;
mod view;

pub use difference::{Cut, differing};
pub use names::{events, first_of, is_at_latest, label, listed, of_many, shell, who};
pub use number::{counted, grouped, size};
pub use printer::{LineSplitter, Printer};
pub use sanitize::{is_unsafe, plain};
pub use style::{Role, Styles};
pub use text::{Text, head, middle, tail, width_of, wrapped};
pub use value::{Change, Side, quoted, subject, value_text};
pub use view::{View, format_duration, seconds_of, shown};
