//! Answers as CSV: the columns that are promised, one for all that a line can
//! have; and a refusal that names another form where there is none.

use crate::support::cli;
use crate::support::folders::{folder, folder_of_week};

#[test]
fn csv_has_the_columns_that_are_promised() {
    let (_dir, data) = folder();
    for (words, columns) in [
        (
            "history 123",
            "seq,type,time,time_source,received,profile,subprofile,database,collection,label,verified,observed,duplicate_of,field,interest,old,old_is,new,new_is,cause,since",
        ),
        (
            "show 123",
            "profile,subprofile,database,collection,at,state,last_event_seq,last_event_time,fields,interests,created,modified,cascade_seq,cascade_time",
        ),
        (
            "diff 123 --from 2025-10-02",
            "field,interest,old,old_is,new,new_is",
        ),
        (
            "blame 123",
            "field,interest,value,seq,time,type,cause,old,old_is,since",
        ),
        (
            "changes",
            "time,seq,type,profile,subprofile,database,collection,label,field,interest,old,old_is,new,new_is,cause,since",
        ),
        (
            "export --raw",
            "seq,received,remote,label,type,time,time_source,profile,subprofile,database,collection,created,modified,parameters,fields,interests,extra,verified,body,body_base64,evidence,observed,baseline",
        ),
        (
            "rejected",
            "number,received,remote,label,content_type,status,error,where,body,body_base64",
        ),
        (
            "evidence 15",
            "seq,received,remote,verified_at,key,record,public_key,signed,signature,body,body_base64",
        ),
    ] {
        let mut args: Vec<&str> = words.split(' ').collect();
        args.extend(["--format", "csv"]);
        let text = cli(&data, &args).ok();
        let mut table = csv::Reader::from_reader(text.as_bytes());
        let head: Vec<String> = table.headers().unwrap().iter().map(String::from).collect();
        assert_eq!(head.join(","), columns);
        let mut rows = 0;
        for row in table.records() {
            // A row of another length is an error of the reader's.
            for cell in &row.unwrap() {
                assert!(!cell.starts_with(['=', '@', '\t', '\r']), "{words}: {cell}");
            }
            rows += 1;
        }
        assert!(rows > 0, "{words}");
    }
    // Every key of the lines for programs has its column.
    for words in [
        "changes",
        "export --raw",
        "rejected",
        "blame 7 --at 2025-10-06",
    ] {
        let args: Vec<&str> = words.split(' ').collect();
        let csv = cli(&data, &[args.as_slice(), &["--format", "csv"]].concat()).ok();
        let head = csv.lines().next().unwrap();
        for line in crate::support::json_lines(&cli(&data, &args).ok()) {
            for key in crate::support::keys(&line) {
                assert!(
                    head.split(',').any(|column| column == key),
                    "{words}: {key}"
                );
            }
        }
    }
    let (_dir, week) = folder_of_week();
    for words in [
        "tail -n all",
        "history 29",
        "find city=Nederland --ever",
        "explain 116",
        "report --by field,day,label",
        "gaps",
        "incidents --least 20",
        "incidents show city-70 --least 20",
        "loops",
        "show 30/101 --cascade",
        "export",
    ] {
        let args: Vec<&str> = words.split(' ').collect();
        let csv = cli(&week, &[args.as_slice(), &["--format", "csv"]].concat()).ok();
        let head: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
        for line in crate::support::json_lines(&cli(&week, &args).ok()) {
            for key in crate::support::keys(&line) {
                // A list that makes rows is none, an object has a column for each key.
                let inner = format!("{key}_");
                let rows = key == "changes" && line[key].is_array();
                let is_there = |column: &&str| *column == key || column.starts_with(&inner);
                assert!(rows || head.iter().any(is_there), "{words}: {key}");
            }
        }
    }
    // Where there is nothing, and where there is no such form.
    let nothing = cli(&data, &["history", "9", "--format", "csv"]);
    assert_eq!(nothing.stdout, "");
    nothing.failed(1);
    let cursor = week.parent().unwrap().join("cursor");
    for words in [
        &["verify"][..],
        &["reconcile", "-"],
        &["tail", "-f"],
        &["tail", "--cursor-file", cursor.to_str().unwrap()],
    ] {
        let said = cli(&week, &[words, &["--format", "csv"]].concat()).failed(2);
        assert!(said.contains("jsonl"), "{said}");
    }
    assert!(!cursor.exists());
}
