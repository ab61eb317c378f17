//! The command line: flags, output on a terminal, exit statuses.

mod command_line;
mod completions_and_manuals;
mod csv_columns;
mod hints;
mod pager;
mod settings;
mod terminal;
mod tokens;
