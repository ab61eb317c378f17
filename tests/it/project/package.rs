//! `scripts/package`: what it makes installs and runs, and is the same each time.
//!
//! Proven: the Debian package installs into an empty root and the program runs
//! there; the digests of the image are right, and its program finds all that it
//! needs in it; two runs make the same files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::support::{BINARY, clean};

/// Runs a command, which must succeed, and gives what it wrote.
fn ok(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(output.status.success(), "{command:?}: {}", text.concat());
    text[0].clone()
}

/// The files below a folder, with links and folders left out.
fn files(root: &Path) -> BTreeSet<String> {
    let found = ok(clean("find").args([".", "-type", "f"]).current_dir(root));
    found.lines().map(|path| path[2..].to_owned()).collect()
}

/// Makes the packages in a new folder.
fn package(binary: &Path, out: PathBuf, umask: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/package");
    let mut command = clean("sh");
    command
        .args(["-c", "umask $0; exec \"$@\"", umask])
        .arg(script);
    command
        .args(["--level", "1", "--binary"])
        .arg(binary)
        .arg("--out")
        .arg(&out);
    ok(command.env("SOURCE_DATE_EPOCH", "1760000000"));
    ok(clean("sha256sum")
        .args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(&out));
    out
}

/// The only file with that ending.
fn named(dir: &Path, end: &str) -> PathBuf {
    let files = files(dir);
    let mut found = files.iter().filter(|name| name.ends_with(end));
    dir.join(found.next().unwrap_or_else(|| panic!("{end}: {files:?}")))
}

fn unpack(archive: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    ok(clean("tar").arg("-xf").arg(archive).arg("-C").arg(to));
}

fn installs(deb: &Path, dir: &Path) {
    let root = dir.join("root");
    fs::create_dir_all(root.join("var/lib/dpkg/info")).unwrap();
    fs::create_dir_all(root.join("var/lib/dpkg/updates")).unwrap();
    fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    let dpkg = || {
        let mut command = clean("dpkg");
        command.arg("--root").arg(&root);
        command.args([
            "--force-not-root",
            "--force-script-chrootless",
            "--force-depends",
        ]);
        command.args(["--force-bad-path", "--log=/dev/null"]);
        command
    };
    ok(dpkg().arg("--install").arg(deb));
    let program = root.join("usr/bin/profiletrail");
    assert!(ok(clean(&program).arg("--version")).starts_with("profiletrail "));
    let data = dir.join("data");
    let mut import = clean("sh");
    import
        .args(["-c", "\"$0\" import - --data \"$1\" </dev/null"])
        .arg(&program)
        .arg(&data);
    ok(&mut import);
    ok(clean(&program).args(["verify", "--data"]).arg(&data));
    let installed = files(&root);
    for file in [
        "etc/profiletrail.env",
        "usr/lib/systemd/system/profiletrail.service",
        "usr/lib/systemd/system/profiletrail.socket",
        "usr/lib/systemd/system/profiletrail-backup.service",
        "usr/lib/systemd/system/profiletrail-backup.timer",
        "usr/lib/systemd/system/profiletrail-pull.timer",
        "usr/bin/profiletrail-pull",
        "usr/lib/sysusers.d/profiletrail.conf",
        "usr/lib/tmpfiles.d/profiletrail.conf",
        "usr/share/man/man1/profiletrail.1.gz",
        "usr/share/man/man1/profiletrail-history.1.gz",
        "usr/share/bash-completion/completions/profiletrail",
        "usr/share/doc/profiletrail/copyright",
    ] {
        assert!(installed.contains(file), "{file}: {installed:?}");
    }
    let unit = fs::read_to_string(root.join("usr/lib/systemd/system/profiletrail.service"));
    assert!(
        unit.unwrap()
            .contains("ExecStart=/usr/bin/profiletrail serve\n")
    );
    // Settings are the owner's; everything else goes.
    ok(dpkg().args(["--remove", "profiletrail"]));
    let left = files(&root);
    let mut left = left.iter().filter(|file| !file.starts_with("var/lib/dpkg"));
    assert_eq!(
        left.next().map(String::as_str),
        Some("etc/profiletrail.env")
    );
    assert_eq!(left.next(), None);
}

/// The bytes that a descriptor of the image names, whose digest and size are right.
fn blob(image: &Path, descriptor: &Value) -> Vec<u8> {
    let digest = descriptor["digest"].as_str().unwrap();
    let bytes = fs::read(image.join("blobs").join(digest.replace(':', "/"))).unwrap();
    assert_eq!(digest, format!("sha256:{:x}", Sha256::digest(&bytes)));
    assert_eq!(descriptor["size"], bytes.len());
    bytes
}

fn is_an_image(archive: &Path, dir: &Path) {
    let image = dir.join("image");
    unpack(archive, &image);
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    let read = |name: &str| json(&fs::read(image.join(name)).unwrap());
    assert_eq!(read("oci-layout")["imageLayoutVersion"], "1.0.0");
    let manifest = json(&blob(&image, &read("index.json")["manifests"][0]));
    let config = json(&blob(&image, &manifest["config"]));
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
    let layer = dir.join("layer.tar.gz");
    fs::write(&layer, blob(&image, &manifest["layers"][0])).unwrap();
    // Nothing is there that nothing names.
    let blobs = files(&image.join("blobs/sha256"));
    assert_eq!(blobs.len(), 3, "{blobs:?}");
    let plain = dir.join("layer.tar");
    ok(clean("sh")
        .args(["-c", "gzip -dc \"$0\" >\"$1\""])
        .args([&layer, &plain]));
    let diff = format!("sha256:{:x}", Sha256::digest(fs::read(&plain).unwrap()));
    assert_eq!(config["rootfs"]["diff_ids"][0], diff);
    assert_eq!(
        config["config"]["Volumes"],
        serde_json::json!({ "/data": {} })
    );

    // The program with nothing but the libraries of the image.
    let root = dir.join("image-root");
    unpack(&plain, &root);
    let named = files(&root);
    let loader = named
        .iter()
        .find(|file| file.contains("/ld-linux"))
        .unwrap();
    let libraries: BTreeSet<String> = named
        .iter()
        .filter(|file| file.contains(".so"))
        .map(|file| root.join(file).parent().unwrap().display().to_string())
        .collect();
    let libraries: Vec<String> = libraries.into_iter().collect();
    let health = config["config"]["Healthcheck"]["Test"].as_array().unwrap();
    let program = health[1].as_str().unwrap().trim_start_matches('/');
    let run = |args: &[&str]| {
        let mut command = clean(root.join(loader));
        command.args(["--inhibit-cache", "--library-path", &libraries.join(":")]);
        command.arg(root.join(program)).args(args);
        command.output().unwrap()
    };
    let version = run(&["--version"]);
    assert!(version.status.success(), "{version:?}");
    // Without a server it is not well.
    let health: Vec<&str> = health[2..]
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect();
    let data = dir.join("no-data");
    let ill = run(&[&health[..], &["--data", data.to_str().unwrap()]].concat());
    assert_eq!(ill.status.code(), Some(3), "{ill:?}");
}

#[test]
fn what_is_packaged_installs_and_runs_and_is_the_same_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // As a release has it, and smaller.
    let binary = dir.join("profiletrail");
    ok(clean("strip").arg("-o").arg(&binary).arg(BINARY));
    let first = package(&binary, dir.join("first"), "022");
    let again = package(&binary, dir.join("again"), "077");
    let sums = |out: &Path| fs::read_to_string(out.join("SHA256SUMS")).unwrap();
    assert_eq!(sums(&first), sums(&again));
    assert_eq!(sums(&first).lines().count(), 3);

    installs(&named(&first, ".deb"), dir);
    is_an_image(&named(&first, ".oci.tar"), dir);
    // From the tarball scripts/install installs.
    let tree = dir.join("tree");
    unpack(&named(&first, ".tar.gz"), &tree);
    let script = named(&tree, "scripts/install");
    let program = script
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("profiletrail");
    let root = dir.join("from-tarball");
    ok(clean(script)
        .arg("--root")
        .arg(&root)
        .arg("--binary")
        .arg(program));
    assert!(root.join("usr/local/bin/profiletrail").is_file());
}
