use super::*;

#[test]
fn a_folder_is_locked_once_and_names_its_holder() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b");
    assert!(matches!(
        Folder::lock(&path, true, Duration::ZERO),
        Err(TrailError::NoFolder(_))
    ));
    Folder::make(&path).unwrap();
    let first = Folder::lock(&path, true, Duration::ZERO).unwrap();
    let second = Folder::lock(&path, true, Duration::from_secs(9))
        .unwrap_err()
        .to_string();
    assert!(
        second.contains(&format!("process {}", std::process::id())),
        "{second}"
    );
    assert!(Folder::holder(&path).is_some_and(|holder| holder.server));
    drop(first);
    assert_eq!(Folder::holder(&path), None);
    Folder::make(&path).unwrap();
    assert!(Folder::lock(&path, false, Duration::ZERO).is_ok());
}

#[test]
fn other_folders_and_formats_are_refused_with_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("letter"), "Dear").unwrap();
    assert!(matches!(
        Folder::make(dir.path()),
        Err(TrailError::ForeignFolder(_))
    ));
    let path = dir.path().join("data");
    Folder::make(&path).unwrap();
    fs::write(path.join("format"), r#"{"profiletrail":2,"log_id":"00"}"#).unwrap();
    let error = Folder::lock(&path, false, Duration::ZERO)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("format 2") && error.contains("newer"),
        "{error}"
    );
    for damaged in [
        "",
        "\u{fffd}",
        "{}",
        r#"{"profiletrail":1,"log_id":"00"}"#,
        r#"{"profiletrail":1,"log_id":"x","salt_root":"I7YGW3y1gv1i42VbGttztyrD3IQHoRv1JZTGhPWA1pA="}"#,
        r#"{"profiletrail":1,"log_id":"00","salt_root":"I7YG"}"#,
    ] {
        fs::write(path.join("format"), damaged).unwrap();
        let error = Folder::lock(&path, false, Duration::ZERO).unwrap_err();
        assert!(matches!(error, TrailError::FormatDamaged(_)), "{error}");
    }
}

#[test]
fn a_log_without_its_format_is_left_alone() {
    for part in ["log", "rejected"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        Folder::make(&path).unwrap();
        fs::create_dir(path.join("index")).unwrap();
        fs::write(path.join(part).join("00000000000000000001.log"), "x").unwrap();
        fs::remove_file(path.join("format")).unwrap();
        let made = Folder::make(&path).unwrap_err();
        let locked = Folder::lock(&path, false, Duration::ZERO).unwrap_err();
        for error in [made, locked] {
            assert!(matches!(error, TrailError::FormatMissing(_)), "{error}");
            assert!(error.to_string().contains("backup"), "{error}");
        }
        assert!(!path.join("format").exists());
    }
}

#[test]
fn a_folder_half_made_is_completed() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["log", "rejected"] {
        let path = dir.path().join(name);
        fs::create_dir_all(path.join(name)).unwrap();
        Folder::make(&path).unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    Folder::make(dir.path()).unwrap();
    fs::remove_file(dir.path().join("format")).unwrap();
    fs::write(dir.path().join("format.new"), "{").unwrap();
    Folder::make(dir.path()).unwrap();
    Folder::lock(dir.path(), true, Duration::ZERO).unwrap();
}

#[test]
fn folders_made_at_once_have_one_log_id() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let path = dir.path().join(format!("{round}/data"));
        let make = || {
            Folder::make(&path).unwrap();
            fs::read_to_string(path.join("format")).unwrap()
        };
        let formats: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(formats.iter().all(|format| *format == formats[0]));
    }
}

#[test]
fn making_waits_for_the_one_who_makes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let lock = open_lock(&path.join("lock"), true).unwrap();
    lock.lock().unwrap();
    std::thread::scope(|scope| {
        let second = scope.spawn(|| Folder::make(path));
        std::thread::sleep(Duration::from_millis(100));
        assert!(!second.is_finished() && !path.join("format").exists());
        drop(lock);
        second.join().unwrap().unwrap();
    });
    assert!(path.join("format").exists());
}

/// Root may write it all the same, and then this shows less.
#[test]
fn questions_lock_a_read_only_folder() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    Folder::make(&path).unwrap();
    let allow = |name: &Path, mode| {
        fs::set_permissions(name, fs::Permissions::from_mode(mode)).unwrap();
    };
    allow(&path.join("lock"), 0o400);
    allow(&path, 0o500);
    let locked = Folder::lock(&path, false, Duration::ZERO);
    let again = Folder::lock(&path, false, Duration::ZERO);
    allow(&path, 0o700);
    assert!(locked.is_ok());
    assert!(matches!(again, Err(TrailError::InUse { .. })));
    assert!(is_read_only(&io::Error::from_raw_os_error(30)), "EROFS");
}
