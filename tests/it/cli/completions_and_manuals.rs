//! What is made from the command line's own definitions: completions and manual
//! pages.
//!
//! Proven: every shell's own check takes the completions, where the shell is
//! here, and complete names and numbers from the store; each command has a page with its
//! flags and examples; for slips the right word is named.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::{Cli, data, new_server};

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
        assert!(text.contains("profiletrail"), "{shell}: {text}");
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
fn values_are_completed_from_the_newest_events() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    let calls = [
        "type=create&profile=123&fields[mail]=a&fields[First name]=b&interests[]=blue",
        "type=create&profile=5&subprofile=456&fields[price]=1&fields[x%1B[31m]=1",
    ];
    for call in calls {
        server.client().post("/webhook/crm", call).seq();
    }
    let check = || {
        for (typed, completed) in [
            (&["hist"][..], "history"),
            (&["history", "--field", "m"], "mail"),
            (&["history", "--field", "F"], "First name"),
            (&["history", "--field", "x"], ""),
            (&["history", "--interest", ""], "blue"),
            (&["changes", "--label", "c"], "crm"),
            (&["changes", "--type", "cre"], "create"),
            (&["show", "5"], "5/456"),
        ] {
            // As the script for fish calls it: the words, the last of which is typed.
            let (last, words) = typed.split_last().unwrap();
            let data = data.to_str().unwrap();
            let all = [&["--", "profiletrail", "--data", data], words, &[last]].concat();
            let lines = Cli::bare(&all).env("COMPLETE", "fish").run().ok();
            let names = lines.lines().filter_map(|line| line.split('\t').next());
            let names: Vec<&str> = names.filter(|name| !name.starts_with('-')).collect();
            assert_eq!(names.join(","), completed, "{typed:?}: {lines}");
        }
    };
    check();
    server.stop();
    check();
}

#[test]
fn every_command_has_a_page() {
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("a/man1");
    said(&["man", "--dir", pages.to_str().unwrap()]);
    let help = said(&["--help"]);
    let commands = help.lines().skip_while(|line| *line != "Receive:").skip(1);
    let mut count = 0;
    for line in commands.take_while(|line| *line != "Options of every command:") {
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
    for word in ["interest", "reverse", "PROFILETRAIL_DATA"] {
        assert!(page.contains(word), "{word}");
    }
    for section in [
        "NOTES",
        "EXAMPLES",
        "\"EXIT STATUS\"",
        "ENVIRONMENT",
        "FILES",
    ] {
        assert!(page.contains(&format!("\n.SH {section}\n")), "{page}");
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
