//! What is made from the command line's own definitions: completions and manual
//! pages.
//!
//! Proven: every shell's own check takes the completions, where the shell is
//! here; each command has a page that names its flags; slips are told.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::Cli;

fn said(args: &[&str]) -> String {
    Cli::bare(args).run().ok()
}

#[test]
fn completions_are_what_shells_take() {
    let dir = tempfile::tempdir().unwrap();
    for (shell, check) in [
        ("bash", Some(["bash", "-n"])),
        ("zsh", Some(["zsh", "-n"])),
        ("fish", Some(["fish", "-n"])),
        ("elvish", None),
        ("powershell", None),
    ] {
        let text = said(&["completions", shell]);
        for word in ["history", "rejected", "no-pager"] {
            assert!(text.contains(word), "{shell}: {word}");
        }
        let Some([program, flag]) = check else {
            continue;
        };
        let file = dir.path().join(shell);
        fs::write(&file, &text).unwrap();
        let mut command = Command::new(program);
        command.arg(flag).arg(&file).stderr(Stdio::null());
        // A shell that is not here has nothing to say.
        if let Ok(status) = command.status() {
            assert!(status.success(), "{shell}");
        }
    }
    let wrong = Cli::bare(&["completions", "bsh"]).run().failed(2);
    assert!(wrong.contains("bash"), "{wrong}");
}

#[test]
fn every_command_has_a_page() {
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("a/man1");
    said(&["man", "--dir", pages.to_str().unwrap()]);
    let help = said(&["--help"]);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let mut count = 0;
    for line in commands.take_while(|line| !line.is_empty()) {
        let is_first = line.starts_with("  ") && !line.starts_with("   ");
        let name = line.split_whitespace().next().filter(|_| is_first);
        // Of itself help has none.
        let Some(name) = name.filter(|name| *name != "help") else {
            continue;
        };
        let page = fs::read_to_string(pages.join(format!("profiletrail-{name}.1"))).unwrap();
        assert!(page.starts_with(".ie"), "{name}");
        count += 1;
    }
    assert!(count > 15, "{count}");
    let page = fs::read_to_string(pages.join("profiletrail-history.1")).unwrap();
    for word in ["interest", "reverse", "PROFILETRAIL_DATA", "Example"] {
        assert!(page.contains(word), "{word}");
    }
    assert!(said(&["man"]).contains("profiletrail"));
    assert!(said(&["man", "history"]).contains("interest"));
}

#[test]
fn a_slip_names_what_was_meant() {
    for (args, meant) in [
        (&["histroy", "123"][..], "'history'"),
        (&["man", "histroy"], "did you mean history?"),
        (&["man", "xyzzy"], "--help"),
        (&["history", "123", "--feild", "a"], "--field"),
        (&["changes", "--cause", "unexplaned"], "unexplained"),
        (&["history", "123", "--format", "cvs"], "csv"),
    ] {
        let text = Cli::bare(args).run().failed(2);
        assert!(text.contains(meant), "{args:?}: {text}");
    }
}
