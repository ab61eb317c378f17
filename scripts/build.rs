//! Names the commit and the target in the program, for `--version`.

use std::process::Command;

fn main() {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        Some(text.trim().to_owned()).filter(|text| output.status.success() && !text.is_empty())
    };
    // A source archive has no commit; a package's build can name it.
    let named = std::env::var("PROFILETRAIL_COMMIT").ok();
    let commit = named.or_else(|| git(&["rev-parse", "--short=12", "HEAD"]));
    let commit = commit.unwrap_or_else(|| "unknown".to_owned());
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=PROFILETRAIL_COMMIT={commit}");
    println!("cargo::rustc-env=PROFILETRAIL_TARGET={target}");
    println!("cargo::rerun-if-env-changed=PROFILETRAIL_COMMIT");
    println!("cargo::rerun-if-changed=scripts/build.rs");
    for name in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", name]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}
