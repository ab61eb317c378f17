//! Erasures in exports, and on older backups.

use std::fs;

use super::{CANARIES, PERSON, found_in, import, lines};
use crate::support::{Cli, cli, has};

#[test]
fn an_erasure_travels_in_an_export_and_is_repeated_on_an_older_backup() {
    let dir = tempfile::tempdir().unwrap();
    let (data, copy) = (dir.path().join("data"), dir.path().join("copy"));
    let all = lines(0..100, true);
    import(&data, &all);
    import(&copy, &all);
    let backup = dir.path().join("backup");
    cli(&data, &["backup", backup.to_str().unwrap()]).ok();
    let old = cli(&data, &["export", "--raw"]).ok();
    let line = cli(
        &data,
        &["erase", &PERSON.to_string(), "--reason", "asked", "--yes"],
    )
    .ok();
    let person = PERSON.to_string();
    // The other folder erases, too, and neither takes the events again.
    let export = cli(&data, &["export", "--raw"]).ok();
    Cli::new(&copy, &["import"])
        .stdin(export.clone())
        .run()
        .ok();
    let why = cli(&copy, &["history", &person]).failed(1);
    assert!(why.contains("was erased on"), "{why}");
    assert_eq!(found_in(&copy, &CANARIES), Vec::<String>::new());
    for folder in [&data, &copy] {
        let output = Cli::new(folder, &["import"]).stdin(old.clone()).run();
        has(&output.stderr, &["of erased profiles left out"]);
        cli(folder, &["history", &person]).failed(1);
    }
    // An empty folder learns of it, and so refuses the old events.
    let new = dir.path().join("new");
    Cli::new(&new, &["import"]).stdin(export.clone()).run().ok();
    Cli::new(&new, &["import"]).stdin(old).run().ok();
    cli(&new, &["history", &person]).failed(1);

    for (name, lines) in [("line", &line), ("export", &export)] {
        let file = dir.path().join(name);
        fs::write(&file, lines).unwrap();
        let restored = dir.path().join(format!("restored-{name}"));
        let asked = [
            "restore",
            backup.to_str().unwrap(),
            "--erasures",
            file.to_str().unwrap(),
        ];
        cli(&restored, &asked).ok();
        let why = cli(&restored, &["history", &person]).failed(1);
        assert!(why.contains("was erased on"), "{why}");
        assert_eq!(found_in(&restored, &CANARIES), Vec::<String>::new());
        assert!(!dir.path().join(format!("restored-{name}.erasing")).exists());
        cli(&restored, &["history", "4"]).ok();
    }
    let file = dir.path().join("line");
    let asked = [
        "restore",
        backup.to_str().unwrap(),
        "--erasures",
        file.to_str().unwrap(),
    ];
    let why = cli(&data, &asked).failed(3);
    assert!(why.contains("exists and is not empty"), "{why}");
    assert!(!dir.path().join("data.erasing").exists());
    let wrong = dir.path().join("wrong");
    fs::write(&wrong, "nonsense\n").unwrap();
    let target = dir.path().join("target");
    let asked = [
        "restore",
        backup.to_str().unwrap(),
        "--erasures",
        wrong.to_str().unwrap(),
    ];
    let why = cli(&target, &asked).failed(2);
    assert!(why.contains("line 1") && !target.exists(), "{why}");
}
