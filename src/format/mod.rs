//! What the terminal, the page and CSV share: values and their differences, times,
//! numbers, names, widths, and text from strangers made safe.
//!
//! Leaves out where text goes and how it is laid out (`cli::output`, `web`).
//! Invariant: whatever came from outside passes through [`plain`] before it is
//! in a [`Text`], so nothing of it controls a terminal or hides.

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
