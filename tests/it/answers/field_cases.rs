//! Cases from the field: calls, exports, imports, times and texts as people have them.
//!
//! Proven, each with its siblings: an export is compared as Copernica and
//! spreadsheets write it, and nobody who has a row is called gone; only fields are
//! recorded; the file of an undo is what Copernica's import takes, to the letter; a
//! workbook keeps texts as texts; odd times are answered; and a value in another
//! Unicode form is pointed out.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::support::store::{self, Store};
use crate::support::{
    Outcome, cli, data, exported, fixture_path, has, json_lines, keys, new_server,
};
use profiletrail::event::now_micros;
use serde_json::{Value, json};

/// A folder with these calls, and room for files beside it.
struct Case {
    dir: tempfile::TempDir,
}

impl Case {
    fn of<B: AsRef<str>>(bodies: impl IntoIterator<Item = B>) -> Self {
        let bodies = bodies.into_iter().map(|body| body.as_ref().to_owned());
        let Store { dir, .. } = Store::with(bodies);
        Self { dir }
    }

    /// Profiles of database 1, by number and fields.
    fn profiles(profiles: &[(u64, &str)]) -> Self {
        Self::of(profiles.iter().map(|(number, fields)| {
            format!("type=create&profile={number}&database=1&time=1760000000{fields}")
        }))
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn ask(&self, args: &[&str]) -> Outcome {
        cli(&self.data(), args)
    }

    fn reconcile_path(&self, file: &Path, args: &[&str]) -> Outcome {
        self.ask(&[&["reconcile", file.to_str().unwrap()], args].concat())
    }

    /// Compares one of the cases' files.
    fn fixture(&self, name: &str, args: &[&str]) -> Outcome {
        self.reconcile_path(&fixture_path("field").join(name), args)
    }

    /// Compares a file with this content.
    fn reconcile(&self, content: impl AsRef<[u8]>, args: &[&str]) -> Outcome {
        let file = self.path("export");
        std::fs::write(&file, content).unwrap();
        self.reconcile_path(&file, args)
    }

    /// Later calls.
    fn add(&self, body: &str) {
        let (_trail, mut appender) = store::open(&self.data());
        appender.append(vec![store::arrival((body.to_owned(), now_micros()))]);
    }
}

/// Asserts that this many rows are the same, and nothing differs.
#[track_caller]
fn all_same(outcome: Outcome, rows: u64) {
    let said = format!("{rows} the same, 0 with other values");
    assert!(outcome.stderr.contains(&said), "{}", outcome.stderr);
    assert_eq!(outcome.ok(), "");
}

#[track_caller]
fn said(outcome: &Outcome, what: &str) {
    assert!(outcome.stderr.contains(what), "{what}: {outcome:?}");
}

#[test]
fn a_quote_is_a_letter_in_an_export_without_quotes() {
    let bakery = [
        (1, "&fields[name]=%22De+Bakker%22+BV&fields[city]=Ede"),
        (2, "&fields[name]=%22t+Hart&fields[city]=Urk"),
        (3, "&fields[name]=x&fields[city]=Ede"),
        (4, "&fields[name]=y+%22z&fields[city]=Ede"),
    ];
    let case = Case::profiles(&bakery);
    all_same(case.fixture("unquoted.tsv", &["--database", "1"]), 4);
    // Read with quotes, the rest of the file is one value: nobody is called gone.
    let quoted = case.fixture("unquoted.tsv", &["--database", "1", "--quotes", "on"]);
    said(
        &quoted,
        "a value in line 3 looks like rows: is a quote not closed?",
    );
    assert!(!quoted.stdout.contains("gone"), "{quoted:?}");
    // With other separators, quotes are said to be letters.
    let text = std::fs::read_to_string(fixture_path("field/unquoted.tsv")).unwrap();
    let semicolons = text.replace('\t', ";");
    let off = ["--database", "1", "--quotes", "off"];
    all_same(case.reconcile(semicolons, &off), 4);
    // Where the names are quoted, so are the values.
    let quoted = "\"ID\"\t\"name\"\n1\t\"\"\"De Bakker\"\" BV\"\n";
    all_same(case.reconcile(quoted, &["--partial"]), 1);
    let open = "ID;name;city\n1;\"x;Ede\n3;x\";Ede\n";
    let open = case.reconcile(open, &["--database", "1"]);
    said(
        &open,
        "cannot report which profiles are gone: a value in line 2",
    );
    assert!(!open.stdout.contains("gone"), "{open:?}");
    let refused = case.reconcile("ID\tname\n", &["--quotes", "maybe"]);
    assert!(refused.failed(2).contains("write on or off"));
}

#[test]
fn what_is_no_field_is_never_recorded_unasked() {
    let case = Case::profiles(&[(123, "&fields[name]=Piet"), (9, "&fields[city]=Ede")]);
    let record = ["--partial", "--record", "--yes"];
    let recorded = case.fixture("system-columns.tsv", &record);
    said(
        &recorded,
        "Copernica's own columns and no fields: Access code, Profile created",
    );
    said(&recorded, "added 1 event");
    case.add("type=update&profile=123&parameters[name]=Bob&fields[name]=Bob");
    let names = |case: &Case| -> Vec<Value> {
        let changes = json_lines(&case.ask(&["changes", "--profile", "123"]).ok());
        changes.iter().map(|line| line["field"].clone()).collect()
    };
    assert_eq!(names(&case), [json!("name"), json!("name"), json!("name")]);
    // A column of anybody's is a field; one of nobody's is not.
    let rows = "id,name,city,Remarks\n123,Bob,Urk,?\n";
    let outcome = case.reconcile(rows, &record);
    said(&outcome, "\"Remarks\" is left out");
    said(&outcome, "added 1 event");
    assert!(!outcome.stdout.contains("Remarks") && outcome.stdout.contains("Urk"));
    said(&case.reconcile(rows, &record), "added 0 events");
    let named = [&record[..], &["--columns", "Remarks"]].concat();
    said(&case.reconcile(rows, &named), "added 1 event");
    // A trail without any field begins with the file's.
    let empty = Case::of::<&str>([]);
    said(
        &empty.fixture("system-columns.tsv", &record),
        "added 1 event",
    );
    let shown = &json_lines(&empty.ask(&["show", "123"]).ok())[0];
    assert_eq!(shown["fields"], json!({"name": "Anna"}));
    let own = "id,Subprofile modified,profile ID,SECRET\n1,a,b,c\n";
    let refused = empty.reconcile(own, &["--partial"]);
    assert!(refused.failed(2).contains("no column to compare"));
}

#[test]
fn line_ends_within_values_are_equal() {
    let note = "&fields[note]=a%0D%0Ab&fields[city]=Ede";
    let case = Case::profiles(&[(1, note)]);
    all_same(case.fixture("line-ends.csv", &["--partial"]), 1);
    all_same(
        case.reconcile("id,note\r\n1,\"a\r\nb\"\r\n", &["--partial"]),
        1,
    );
    all_same(case.reconcile("id,note\n1,\"a\rb\"\n", &["--partial"]), 1);
    // What is the same is recorded as the trail has it.
    let record = ["--partial", "--record", "--yes"];
    said(
        &case.reconcile("id,city,note\n1,Urk,\"a\nb\"\n", &record),
        "added 1 event",
    );
    let shown = &json_lines(&case.ask(&["show", "1"]).ok())[0];
    assert_eq!(shown["fields"], json!({"note": "a\r\nb", "city": "Urk"}));
    let other = case.reconcile("id,note\n1,\"a\n\nb\"\n", &["--partial"]);
    assert_eq!(json_lines(&other.ok()).len(), 1);
}

#[test]
fn a_spreadsheets_first_line_declares_the_separator() {
    let case = Case::profiles(&[(123, "&fields[name]=Anna")]);
    all_same(case.fixture("sep-line.csv", &["--partial"]), 1);
    all_same(
        case.reconcile("\u{feff}\"sep=,\"\nid,name\n123,Anna", &["--partial"]),
        1,
    );
    all_same(
        case.reconcile("SEP=\t\r\nid\tname\r\n123\tAnna\r\n", &["--partial"]),
        1,
    );
    let bad = case.reconcile("sep=;\r\nid;name\r\nx;Anna\r\n", &["--partial"]);
    assert!(bad.failed(3).contains("line 3: \"x\""));
}

#[test]
fn lines_have_the_files_own_numbers() {
    let case = Case::profiles(&[(1, "&fields[name]=x"), (2, "&fields[name]=y")]);
    let error = case
        .fixture("bad-number-crlf.csv", &["--partial"])
        .failed(3);
    has(&error, &["line 4: \"1,2E+05\"", "a spreadsheet"]);
    for (content, what) in [
        ("id;name\n\n1;\"a\nb\"\n\nq;z", "line 6: \"q\""),
        (
            "id;name\r\n\r\n1;\"a\r\nb\"\r\n1.5e7;z\r\n",
            "line 5: \"1.5e7\"",
        ),
        (
            "id,name\r\n1,x\n1,y\r\n",
            "line 3: 1 has a row in line 2 already",
        ),
        ("id\tname\r\n1\tx\r\n2\n", "line 3: it has 1 columns"),
    ] {
        let error = case.reconcile(content, &["--partial"]).failed(3);
        assert!(error.contains(what), "{what}: {error}");
    }
}

#[test]
fn empty_dates_are_equal() {
    let case = Case::profiles(&[(1, "&fields[birth]="), (2, "&fields[birth]=0000-00-00")]);
    all_same(case.fixture("zero-date.csv", &["--partial"]), 2);
    let times = "id,birth\n1,0000-00-00 00:00:00\n2,0000-00-00 00:00:00\n";
    all_same(case.reconcile(times, &["--partial"]), 2);
    let absent = Case::profiles(&[
        (1, "&fields[name]=x"),
        (2, "&fields[birth]=0000-00-00+00%3A00%3A00"),
    ]);
    all_same(absent.fixture("zero-date.csv", &["--partial"]), 2);
    let other = case.reconcile("id,birth\n1,0000-00-01\n", &["--partial"]);
    assert_eq!(json_lines(&other.ok()).len(), 1);
}

#[test]
fn other_charsets_are_read_by_name() {
    let case = Case::profiles(&[(1, "&fields[na%C3%A0m]=Ren%C3%A9+%E2%82%AC")]);
    let partial = ["--partial", "--charset"];
    let named = |name| [&partial[..], &[name]].concat();
    all_same(
        case.reconcile(b"id;na\xe0m\n1;Ren\xe9 \x80\n", &named("windows-1252")),
        1,
    );
    all_same(
        case.reconcile(b"id;na\xe0m\n1;Ren\xe9 \xa4\n", &named("ISO-8859-15")),
        1,
    );
    // A byte order mark decides, whatever is named.
    let text = "id\tna\u{e0}m\r\n1\tRen\u{e9} \u{20ac}\r\n";
    let utf16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        let text = format!("\u{feff}{text}");
        text.encode_utf16().flat_map(bytes).collect()
    };
    all_same(case.reconcile(utf16(u16::to_le_bytes), &["--partial"]), 1);
    all_same(case.reconcile(utf16(u16::to_be_bytes), &named("utf-8")), 1);
    all_same(
        case.reconcile(format!("\u{feff}{text}"), &named("latin1")),
        1,
    );
    // What is not of the charset is refused, with the place and the way out.
    for (bytes, args, status, what) in [
        (
            &b"id;x\n1;\xe9\n"[..],
            &["--partial"][..],
            3,
            "line 2 is not UTF-8: name the file's charset",
        ),
        (
            b"id;\xe9\n1;x\n",
            &["--partial"],
            2,
            "--charset windows-1252",
        ),
        (
            b"id;x\n1;\x81\x20\n",
            &named("shift_jis"),
            3,
            "line 2 is not Shift_JIS",
        ),
        (b"id;x\n1;x\n", &named("klingon"), 2, "write a name such as"),
        (b"PK\x03\x04", &["--partial"], 2, "save it as CSV"),
    ] {
        let error = case.reconcile(bytes, args).failed(status);
        assert!(error.contains(what), "{error}");
    }
}

/// An incident on a field: 25 (sub)profiles with their old values.
fn incident(of: &str, field: &str, old: impl Fn(u64) -> String) -> Case {
    let bodies = (1..=25).flat_map(|number| {
        let who = of.replace('#', &number.to_string());
        let value = old(number);
        let call = |event_type: &str, time: u64, value: &str| {
            let field = format!("fields[{field}]");
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair(&field, value);
            if event_type == "update" {
                form.append_pair(&field.replace("fields", "parameters"), value);
            }
            let fields = form.finish();
            format!("type={event_type}&{who}&time={time}&{fields}")
        };
        [
            call("create", 1_750_000_000 + number, &value),
            call("update", 1_752_000_000 + number, "BAD"),
        ]
    });
    Case::of(bodies)
}

/// Undoes the only incident.
fn undo(case: &Case, args: &[&str]) -> (Outcome, String) {
    let found = json_lines(&case.ask(&["incidents"]).ok());
    let id = found[0]["id"].as_str().unwrap();
    let out = case.path("fix.csv");
    let all = ["incidents", "undo", id, "--out", out.to_str().unwrap()];
    let outcome = case.ask(&[&all, args].concat());
    (outcome, std::fs::read_to_string(out).unwrap_or_default())
}

#[test]
fn an_undo_of_subprofiles_is_what_the_import_takes() {
    let pets = "profile=7&subprofile=10#&collection=9&database=1";
    let old = |number| format!(" \"Ren\u{e9}\",{number}\r\n=1+1 ");
    let case = incident(pets, "Name", old);
    let (refused, none) = undo(&case, &[]);
    assert!(refused.failed(2).contains("--collection-name Pets"));
    assert_eq!(none, "");
    let (written, file) = undo(&case, &["--collection-name", "Pets"]);
    said(&written, "wrote 25 values to restore");
    assert!(file.starts_with("Pets.id,Pets.Name\n101,"), "{file}");
    let mut rows = csv::Reader::from_reader(file.as_bytes());
    let rows: Vec<(u64, String)> = rows.deserialize().map(Result::unwrap).collect();
    for (number, restored) in rows {
        let digits = number.to_string();
        assert_eq!(restored, old(digits[2..].parse().unwrap()));
    }
    for wrong in [["--collection-name", ""], ["--format", "xlsx"]] {
        let (refused, _) = undo(&case, &wrong);
        refused.failed(2);
    }
    // A field that is called as the number is; and an incident of profiles.
    let case = incident(pets, "id", |number| number.to_string());
    let (_, file) = undo(&case, &["--collection-name", "Pets"]);
    assert!(
        file.starts_with("Pets.subprofile_id,Pets.id\n101,1\n"),
        "{file}"
    );
    let case = incident("profile=#&database=1", "Name", |number| number.to_string());
    let (refused, _) = undo(&case, &["--collection-name", "Pets"]);
    assert!(refused.failed(2).contains("the incident is of profiles"));
    let (_, file) = undo(&case, &[]);
    assert!(file.starts_with("id,Name\n1,1\n"), "{file}");
}

#[test]
fn an_undo_never_writes_letters_that_were_lost() {
    let case = incident("profile=#&database=1", "name", |number| match number {
        1 => "Ren\u{fffd}".to_owned(),
        _ => format!("Ren\u{e8} {number}"),
    });
    let (written, file) = undo(&case, &[]);
    said(&written, "wrote 24 values to restore");
    let left = json_lines(&written.ok());
    assert_eq!((left.len(), &left[0]["left"]), (1, &json!("old_damaged")));
    assert!(!file.contains('\u{fffd}') && file.contains("Ren\u{e8} 2"));
    // Bytes that are no UTF-8 are read as Windows-1252, and stay apart.
    let bodies = (1..=25).flat_map(|number| {
        let call = |kind, time, name| {
            format!("type={kind}&profile={number}&database=1&time={time}&fields[name]={name}&parameters[name]={name}")
        };
        [
            call("create", 1_750_000_000 + number, "Ren%E9"),
            call("update", 1_752_000_000 + number, "Ren%E8"),
        ]
    });
    let (_, file) = undo(&Case::of(bodies), &[]);
    assert!(file.starts_with("id,name\n1,Ren\u{e9}\n"), "{file}");
}

/// The cells of a workbook's sheet, as XML.
fn sheet(path: &Path) -> String {
    let mut book = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut text = String::new();
    let mut sheet = book.by_name("xl/worksheets/sheet1.xml").unwrap();
    sheet.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_workbook_keeps_texts_as_texts() {
    let texts = [
        "0612345678",
        "=1+1",
        "Ren\u{e9}",
        "<b>&\u{1}_x0001_",
        "1e5",
        " x ",
    ];
    let bodies = texts.iter().zip(1..).map(|(text, number)| {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("fields[a]", text);
        format!(
            "type=create&profile={number}&database=1&time=1760000000&{}",
            form.finish()
        )
    });
    let case = Case::of(bodies);
    let out = case.path("changes.xlsx");
    let path = out.to_str().unwrap();
    let xlsx = ["changes", "--format", "xlsx", "--out", path];
    assert_eq!(case.ask(&xlsx).ok(), "");
    let cells = sheet(&out);
    for text in [
        "0612345678",
        "=1+1",
        "Ren\u{e9}",
        "&lt;b&gt;&amp;_x0001__x005F_x0001_",
        "1e5",
    ] {
        assert!(cells.contains(&format!("<t>{text}</t>")), "{text}: {cells}");
    }
    assert!(
        cells.contains("> x </t>") && !cells.contains("<f>"),
        "{cells}"
    );
    // Numbers are numbers, and csv stays as it is.
    assert!(cells.contains("<c r=\"B2\"><v>1</v></c>"), "{cells}");
    let csv = case.ask(&["changes", "--format", "csv"]).ok();
    has(&csv, &[",0612345678,", ",'=1+1,"]);
    // Nothing is replaced, nothing is written where nothing is found, and it needs a name.
    assert!(case.ask(&xlsx).failed(2).contains("already exists"));
    let none = case.path("none.xlsx");
    let none = none.to_str().unwrap();
    case.ask(&["history", "99", "--format", "xlsx", "--out", none])
        .failed(1);
    assert!(!Path::new(none).exists());
    assert!(
        case.ask(&["changes", "--format", "xlsx"])
            .failed(2)
            .contains("--out FILE.xlsx")
    );
    assert!(
        case.ask(&["changes", "--out", none])
            .failed(2)
            .contains("--format xlsx")
    );
    let dossier = ["dossier", "1", "--format", "xlsx", "--out", none];
    case.ask(&dossier).failed(2);
    let long = Case::profiles(&[(1, &format!("&fields[a]={}", "x".repeat(40_000)))]);
    let refused = long
        .ask(&["changes", "--format", "xlsx", "--out", none])
        .failed(3);
    has(&refused, &["row 2, column new: it is longer"]);
    assert!(!Path::new(none).exists());
}

#[test]
fn every_question_with_csv_has_a_workbook() {
    let case = incident("profile=#&database=1", "name", |number| number.to_string());
    let found = json_lines(&case.ask(&["incidents"]).ok());
    let id = found[0]["id"].as_str().unwrap();
    for (number, words) in [
        "history 1",
        "show 1",
        "diff 1 --from @0",
        "blame 1",
        "changes",
        "find name=BAD",
        "tail -n all",
        "explain 2",
        "report",
        "incidents",
        "export --raw",
    ]
    .into_iter()
    .map(|words| words.split(' ').collect::<Vec<_>>())
    .chain([vec!["incidents", "show", id]])
    .enumerate()
    {
        let out = case.path(&format!("{number}.xlsx"));
        let format = ["--format", "xlsx", "--out", out.to_str().unwrap()];
        case.ask(&[&words[..], &format].concat()).ok();
        let csv = case.ask(&[&words[..], &["--format", "csv"]].concat()).ok();
        let rows = csv::Reader::from_reader(csv.as_bytes())
            .into_records()
            .count();
        assert_eq!(sheet(&out).matches("<row ").count(), rows + 1, "{words:?}");
    }
}

#[test]
fn odd_times_are_answered() {
    let case = Case::profiles(&[(1, "&fields[name]=x")]);
    case.add("type=update&profile=1&time=1760086400&fields[name]=y");
    let back = case.ask(&["diff", "1", "--from", "@1760090000", "--to", "@1760000000"]);
    said(&back, "note: --from is later than --to");
    assert_eq!(
        json_lines(&back.ok()),
        [json!({"field": "name", "old": "y", "new": "x"})]
    );
    let later = case.ask(&["show", "1", "--at", "2100-01-01"]);
    said(&later, "note: --at is in the future");
    assert_eq!(json_lines(&later.ok())[0]["fields"], json!({"name": "y"}));
    for (args, status, what) in [
        (
            &["changes", "--since", "2026-01-02", "--until", "2026-01-01"][..],
            1,
            "--since is later than --until",
        ),
        (
            &["history", "1", "-S", "2100-01-01"],
            1,
            "--since is in the future",
        ),
        (
            &["find", "name=y", "--at", "31-12-2100 10:00"],
            0,
            "--at is in the future",
        ),
        (
            &["diff", "1", "--from", "2100-01-01"],
            0,
            "--from is later than --to",
        ),
    ] {
        let outcome = case.ask(args);
        said(&outcome, &format!("note: {what}"));
        assert_eq!(outcome.status, Some(status), "{outcome:?}");
    }
    // Minutes, the day first, and weekdays; these say nothing.
    for time in [
        "26-11-2020 10:00",
        "2020-11-26 10:00",
        "26-11-2020",
        "monday",
        "last monday",
        "Fri 9:30",
    ] {
        let outcome = case.ask(&["show", "1", "--at", time]);
        assert_eq!(outcome.stderr, "", "{time}");
        outcome.ok();
    }
    let exact = |time| json_lines(&case.ask(&["show", "1", "--at", time]).ok())[0]["at"].clone();
    assert_eq!(exact("26-11-2020 10:00"), "2020-11-26T09:00:00Z");
    assert_eq!(exact("2020-11-26 10:00"), exact("26-11-2020 10:00:00"));
}

#[test]
fn another_unicode_form_is_pointed_out() {
    let case = Case::profiles(&[
        (1, "&fields[name]=Zoe%CC%88"),
        (2, "&fields[name]=Ren%C3%A9e"),
    ]);
    for (asked, finds) in [
        (&["find", "name=Zo\u{eb}"][..], "name=^Zoe\\u{308}$"),
        (&["find", "name=Rene\u{301}e"], "name=^Ren\\u{e9}e$"),
        (
            &["find", "name=Rene\u{301}", "--prefix"],
            "name=^Ren\\u{e9}",
        ),
    ] {
        let error = case.ask(asked).failed(1);
        has(&error, &["the same letters are there in another form"]);
        assert!(error.contains(finds), "{error}");
        case.ask(&["find", finds, "--match"]).ok();
    }
    let none = case.ask(&["find", "name=Zo\u{e9}"]).failed(1);
    assert!(!none.contains("another form"), "{none}");
}

#[test]
fn calls_are_read_as_senders_write_them() {
    let (dir, server) = new_server(&[]);
    let mut client = server.client();
    let json_type = [("Content-Type", "application/json")];
    for body in [
        "action=update&profile=123&fields[name]=Anna",
        "action=delete&profile=123&database=1",
        "type=create&action=ignored&profile=4&interests[]=x",
        "type=update&profile=5&subprofile=&collection=&database=&fields[a]=1",
        "type=update&profile=5&subprofile=0&collection=0&database=0&fields[a]=2",
        "type=update&profile=7&fields[colors][]=red&fields[colors][]=blue&tags[]=1&tags[]=2",
        "type=update&profile=7&fields[a][b][c]=x&fields[colors][x][]=y",
    ] {
        client.post("/webhook", body).seq();
    }
    let json =
        br#"{"type":"update","profile":6,"subprofile":false,"collection":null,"database":0}"#;
    client.request("POST", "/webhook", &json_type, json).seq();
    for body in [
        "type=update&profile=0&fields[a]=1",
        "type=update&profile=",
        "type=update",
    ] {
        let refused = client.post("/webhook", body);
        assert_eq!(
            (refused.status, &refused.json()["where"]),
            (400, &json!("profile")),
            "{body}"
        );
    }
    let events = exported(&data(&dir));
    let types: Vec<&Value> = events.iter().map(|event| &event["type"]).collect();
    assert_eq!(types[..3], ["update", "delete", "create"]);
    for event in [&events[3], &events[4], &events[7]] {
        for number in ["subprofile", "collection", "database"] {
            assert_eq!(event[number], Value::Null, "{event}");
        }
    }
    assert_eq!(
        events[5]["fields"],
        json!({"colors[0]": "red", "colors[1]": "blue"})
    );
    assert_eq!(events[5]["extra"], json!({"tags[0]": "1", "tags[1]": "2"}));
    let names: Vec<&str> = keys(&events[6]["fields"]);
    assert_eq!(names[0], "a[b][c]");
    server.stop();
}
