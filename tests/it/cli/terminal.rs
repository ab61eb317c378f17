//! What people see, pinned as text: every question on a store with hostile and
//! everyday values, at 80 and 200 columns, with and without colour.
//!
//! The files below `fixtures/terminal` are what the program writes; read them as
//! you read the program. They are made anew by
//!
//! ```text
//! PROFILETRAIL_WRITE_FIXTURES=1 cargo test --test it terminal
//! ```
//!
//! Proven, beside that nothing has changed: no line is wider than the screen,
//! the colours change nothing but colours and marks, and nothing of a value
//! reaches the terminal as it is. Another command is a line in [`COMMANDS`].

use std::fs;
use std::path::Path;

use crate::support::folders::{folder, folder_of_week};
use crate::support::{Cli, cli, fixture_path};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The name of a fixture, and what is typed.
const COMMANDS: &[(&str, &str)] = &[
    ("history", "history 123"),
    ("history-all", "history 123 --all --subprofiles"),
    ("history-reverse", "history 123 --reverse -n 5"),
    ("history-hostile", "history 7"),
    ("history-field", "history 123 --field mail --utc"),
    ("show", "show 123 --at 2025-10-04"),
    ("show-hostile", "show 7 --at 2025-10-06"),
    ("show-deleted", "show 7 --at 2025-10-07"),
    ("show-unknown", "show 7 --at 2025-10-01"),
    ("show-subprofile", "show 123/456 --at 2025-10-07"),
    ("diff", "diff 123 --from 2025-10-02 --to 2025-10-07"),
    ("diff-hostile", "diff 7 --from 2025-10-05 --to 2025-10-06"),
    ("diff-unknown", "diff 7 --from 2025-10-01 --to 2025-10-05"),
    ("diff-nothing", "diff 7 --from 2025-10-08 --to 2025-10-09"),
    ("blame", "blame 123 --at 2025-10-07"),
    ("blame-hostile", "blame 7 --at 2025-10-06"),
    ("changes", "changes"),
    (
        "changes-filtered",
        "changes --field mail --reverse --tz Asia/Tokyo",
    ),
    ("export", "export"),
    ("rejected", "rejected"),
    ("rejected-reverse", "rejected --reverse -n 1"),
    ("evidence", "evidence 15"),
    ("nothing-field", "history 123 --field mial"),
    ("nothing-interest", "history 123 --field blue"),
    ("nothing-span", "history 123 --until 1970-01-01"),
    ("nothing-subprofile", "show 456"),
    ("nothing-profile", "blame 132"),
    ("nothing-label", "changes --label crn"),
    ("nothing-event", "explain 99"),
    ("tail", "tail -n 5"),
    ("tail-filtered", "tail -n all --field note --tz Asia/Tokyo"),
    ("explain", "explain 7"),
    ("explain-duplicate", "explain 8"),
    ("explain-first", "explain 9"),
    ("explain-hostile", "explain 10"),
    ("explain-delete", "explain 14"),
    ("find-hostile", "find mail=\u{1b} --prefix --ever"),
    ("report-hostile", "report --by field,cause --profile 7"),
    ("gaps-hostile", "gaps --least 1"),
    ("stats", "stats"),
    ("verify", "verify"),
    ("seal", "seal"),
    ("prune", "prune --before 2025-10-02 --dry-run"),
];

/// The same of a week in which much goes wrong ([`folder_of_week`]), and of which an
/// export was entered.
const WEEK: &[(&str, &str)] = &[
    ("week-tail", "tail -n 9"),
    ("week-history-observed", "history 1 --since 2025-10-10"),
    ("week-history-gone", "history 29 --reverse -n 2"),
    (
        "week-history-cascade",
        "history 30 --subprofiles -n 5 --reverse",
    ),
    ("week-show-cascade", "show 30/101 --at 2025-10-12"),
    ("week-changes-observed", "changes --cause observed"),
    ("week-changes-cascade", "changes --cause cascade"),
    ("week-find", "find city=Nederland --at 2025-10-09"),
    (
        "week-find-ended",
        "find mail=customer.number.30 --prefix --ever",
    ),
    ("week-report", "report"),
    ("week-report-day", "report --by day,label"),
    ("week-report-hour", "report --by hour --label import --utc"),
    ("week-report-month", "report --by month,type -n 3"),
    ("week-gaps", "gaps"),
    ("week-incidents", "incidents --least 20"),
    (
        "week-incidents-show",
        "incidents show city-70 --least 20 -n 4",
    ),
    (
        "week-incidents-undo",
        "incidents undo city-70 --least 20 --out DIR/fix.csv --force",
    ),
    ("week-loops", "loops"),
    ("week-explain", "explain 116"),
    (
        "week-reconcile",
        "reconcile DIR/customers.csv --at 2025-10-12 --database 1",
    ),
    ("week-nothing-find", "find city=nederland"),
];

/// Both folders, each with what is asked of it.
fn stores() -> [(tempfile::TempDir, std::path::PathBuf, Commands); 2] {
    let ((one, data), (other, of_week)) = (folder(), folder_of_week());
    [(one, data, COMMANDS), (other, of_week, WEEK)]
}

type Commands = &'static [(&'static str, &'static str)];

/// What is typed, with the place of the files.
fn typed(data: &Path, words: &str) -> Vec<String> {
    let dir = data.parent().unwrap().to_str().unwrap();
    words
        .split(' ')
        .map(|word| word.replace("DIR", dir))
        .collect()
}

/// How wide a line is on terminals that draw emoji in parts, and on others.
fn wide(text: &str) -> usize {
    let parts = text.chars().filter_map(UnicodeWidthChar::width).sum();
    UnicodeWidthStr::width(text).max(parts)
}

/// The text without the colours that the program chooses.
fn uncoloured(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        let (style, after) = after.split_once('m').unwrap();
        let codes = style.strip_prefix('[').unwrap();
        assert!(codes.bytes().all(|b| b.is_ascii_digit() || b == b';'));
        rest = after;
    }
    plain + rest
}

/// Compares with a fixture, or writes it where that is asked for.
fn check(name: &str, shown: &str) {
    let path = fixture_path("terminal").join(format!("{name}.txt"));
    if std::env::var_os("PROFILETRAIL_WRITE_FIXTURES").is_some() {
        fs::write(&path, shown).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        shown == expected,
        "{} is not what is shown, which is:\n{shown}",
        path.display()
    );
}

/// What differs from run to run, in other words.
fn settled(data: &Path, text: &str) -> String {
    let dir = data.parent().unwrap().to_str().unwrap();
    let text = text.replace(dir, "DIR");
    let mut lines: Vec<&str> = text.split('\n').collect();
    // Sizes of the index, on one line or two.
    if let Some(at) = lines.iter().position(|line| line.contains("on disk")) {
        lines[at] = "on disk         (sizes)";
        if lines[at + 1].starts_with("  ") {
            lines.remove(at + 1);
        }
    }
    lines.join("\n")
}

fn ask(data: &Path, words: &str, width: usize, color: &str) -> String {
    let typed = typed(data, words);
    let mut args: Vec<&str> = typed.iter().map(String::as_str).collect();
    args.extend(["--format", "table", "--color", color]);
    // A folder that a flag names is part of suggested commands, which depend on its path.
    let outcome = Cli::bare(&args)
        .env("PROFILETRAIL_DATA", data)
        .env("COLUMNS", width.to_string())
        .run();
    assert_ne!(outcome.status, Some(2), "{words}: {}", outcome.stderr);
    let said = settled(data, &format!("{}{}", outcome.stdout, outcome.stderr));
    format!("$ {}\n{said}", words.escape_debug())
}

#[test]
fn every_command_shows_what_is_pinned() {
    for (_dir, data, commands) in &stores() {
        for (name, words) in *commands {
            for width in [80, 200] {
                let plain = ask(data, words, width, "never");
                assert!(!plain.contains('\u{1b}'), "{name}");
                let coloured = ask(data, words, width, "always");
                for text in [&plain, &uncoloured(&coloured)] {
                    let hostile = |c: char| {
                        c.is_control() && c != '\n'
                            || matches!(c, '\u{200b}' | '\u{200d}' | '\u{202e}')
                    };
                    assert!(!text.contains(hostile), "{name}: {text:?}");
                    let answer = text.lines().skip(1);
                    // What goes to standard error is not cut.
                    for line in answer.filter(|line| !line.starts_with("profiletrail: ")) {
                        assert!(wide(line) <= width, "{name}: {line}");
                        assert_eq!(line, line.trim_end(), "{name}");
                    }
                }
                check(&format!("{name}-{width}"), &plain);
                check(&format!("{name}-{width}-colour"), &coloured);
            }
        }
    }
}

/// The commands of this program in a text, each as words.
fn suggested(text: &str) -> Vec<Vec<String>> {
    let commands = text.lines().filter_map(|line| {
        let (_, command) = line.split_once("profiletrail ")?;
        // A name with control characters is shown with escapes, and cannot be pasted.
        let whole = !command.contains("\\u{");
        whole.then(|| shlex::split(command.split('`').next()?))?
    });
    commands.collect()
}

#[test]
fn suggested_commands_work_when_pasted_in_another_folder() {
    let (_dir, data) = folder_of_week();
    let (above, name) = (data.parent().unwrap(), data.file_name().unwrap());
    let typed = ["--format", "table", "--tz", "Asia/Tokyo"];
    for words in [
        "report",
        "gaps",
        "loops",
        "incidents --least 20",
        "show 999",
    ] {
        let args: Vec<&str> = words.split(' ').chain(typed).collect();
        let outcome = Cli::new(Path::new(name), &args).inside(above).run();
        let commands = suggested(&format!("{}{}", outcome.stdout, outcome.stderr));
        assert!(!commands.is_empty(), "{words}: {outcome:?}");
        // Files are written by none of these.
        let reads = |command: &&Vec<String>| !command.iter().any(|word| word == "--out");
        for command in commands.iter().filter(reads) {
            let args: Vec<&str> = command.iter().map(String::as_str).collect();
            assert!(args.ends_with(&["--tz", "Asia/Tokyo"]), "{args:?}");
            assert_ne!(Cli::bare(&args).run().ok(), "", "{args:?}");
        }
    }
}

#[test]
fn a_narrow_screen_breaks_nothing() {
    for (_dir, data, commands) in &stores() {
        for (name, words) in *commands {
            for width in ["1", "40", "-3", "99999999999999999999"] {
                let typed = typed(data, words);
                let mut args: Vec<&str> = typed.iter().map(String::as_str).collect();
                args.extend(["--format", "table"]);
                let outcome = Cli::new(data, &args).env("COLUMNS", width).run();
                assert!(
                    matches!(outcome.status, Some(0 | 1)),
                    "{name} at {width}: {outcome:?}"
                );
            }
        }
    }
}

#[test]
fn newest_first_is_the_same_backwards() {
    let (_dir, data) = folder();
    for words in ["changes", "changes --profile 7", "rejected"] {
        let args: Vec<&str> = words.split(' ').collect();
        let forwards = cli(&data, &args).ok();
        let mut lines: Vec<&str> = forwards.lines().collect();
        lines.reverse();
        let with = |more: &[&str]| cli(&data, &[args.as_slice(), more].concat()).ok();
        let backwards = with(&["--reverse"]);
        assert_eq!(backwards.lines().collect::<Vec<_>>(), lines, "{words}");
        let two = with(&["--reverse", "-n", "2"]);
        assert_eq!(two.lines().collect::<Vec<_>>(), lines[..2], "{words}");
    }
}

#[test]
fn times_are_shown_in_the_reader_s_zone() {
    let (_dir, data) = folder();
    let ask = |more: &[&str], tz: &str| {
        let args = [
            &["history", "123/456", "-n", "1", "--format", "table"],
            more,
        ]
        .concat();
        Cli::new(&data, &args).env("TZ", tz).run().ok()
    };
    for (more, tz, shown) in [
        (&[][..], "Asia/Tokyo", "2025-10-05 09:00:00 CEST"),
        (&["--utc"], "", "2025-10-05 07:00:00 UTC"),
        (
            &["--utc", "--tz", "Asia/Tokyo"],
            "",
            "2025-10-05 07:00:00 UTC",
        ),
        (&["--tz", "Asia/Tokyo"], "", "2025-10-05 16:00:00 JST"),
        (&["--tz", "local"], "Asia/Tokyo", "2025-10-05 16:00:00 JST"),
        (&["--tz", "local"], ":Asia/Tokyo", "2025-10-05 16:00:00 JST"),
        (&["--timezone", "UTC"], "", "2025-10-05 07:00:00 UTC"),
        // What is typed is read in the other one.
        (
            &["--tz", "Asia/Tokyo", "--since", "2025-10-05 09:00:00"],
            "",
            "2025-10-05 16:00:00 JST",
        ),
    ] {
        let text = ask(more, tz);
        assert!(text.contains(shown), "{more:?}: {text}");
    }
    let said = cli(&data, &["history", "123", "--tz", "Mars"]).failed(2);
    assert!(said.contains("Europe/Amsterdam"), "{said}");
    // Lines for programs are UTC, whoever reads them.
    let lines = |more: &[&str]| cli(&data, &[&["history", "123"], more].concat()).ok();
    assert_eq!(lines(&["--tz", "Asia/Tokyo"]), lines(&[]));
}
