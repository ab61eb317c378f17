//! The header line: the column separator, and the selected columns.

use super::ReconcileArgs;
use super::export::{Dialect, Export, is_delimiter};
use crate::cli::context::UsageError;
use crate::format::first_of;
use crate::query::nearest;

/// How many columns are named in a message.
const NAMED: usize = 30;

/// Column separators, in the order in which they are tried.
const DELIMITERS: [u8; 3] = [b';', b',', b'\t'];

/// Whether a column is one that Copernica adds to its exports, and no field: `Access code`,
/// `Profile created`, `Subprofile modified`, …
fn is_system(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    let of = |kind| name.strip_prefix(kind).map(str::trim_start);
    let own = of("subprofile").or_else(|| of("profile"));
    matches!(
        own,
        Some("id" | "created" | "modified" | "removed" | "secret" | "access code")
    ) || matches!(name.as_str(), "access code" | "secret")
}

/// The columns of an export, by their places.
#[derive(Debug)]
pub struct Columns {
    pub dialect: Dialect,
    pub names: Vec<String>,
    /// The place of the profile's number.
    pub key: usize,
    /// The place of the subprofile's.
    pub subprofile: Option<usize>,
    /// The places of the columns that are compared.
    pub compared: Vec<usize>,
    /// The names of the columns that are Copernica's own, and left out.
    pub left_out: Vec<String>,
}

/// Parses a column separator.
pub fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [sign] if is_delimiter(*sign) => Ok(*sign),
        _ => Err("write one character, such as ; or , or |, or the word tab".to_owned()),
    }
}

impl Columns {
    /// Finds the columns that were asked for.
    pub fn find(export: &Export, args: &ReconcileArgs) -> anyhow::Result<Self> {
        let name = &export.name;
        let dialect = |delimiter| Dialect::new(delimiter, args.quotes, &export.head);
        let read = |delimiter| names(&export.head, dialect(delimiter));
        let delimiter = match args.delimiter.or(export.declared) {
            Some(delimiter) => delimiter,
            None => {
                // The one by which the number's column is there, or else most columns.
                let found = |delimiter: &u8| {
                    let names = read(*delimiter).unwrap_or_default();
                    (place(&names, &args.key_column).is_ok(), names.len())
                };
                let tried = DELIMITERS.iter().rev();
                tried.copied().max_by_key(found).unwrap_or(b',')
            }
        };
        let names = read(delimiter).ok_or_else(|| {
            UsageError::new(format!(
                "{name}: the header line is not UTF-8: name the file's charset, as in --charset windows-1252"
            ))
        })?;
        let find = |flag: &str, wanted: &str| {
            place(&names, wanted)
                .map_err(|wrong| UsageError::new(format!("{flag}: {name} has {wrong}")))
        };
        let key = find("--key-column", &args.key_column)?;
        let subprofile = args.subprofile_column.as_ref();
        let subprofile = subprofile
            .map(|wanted| find("--subprofile-column", wanted))
            .transpose()?;
        if subprofile == Some(key) {
            wrong_usage!(
                "--subprofile-column: it is the same column as --key-column; name two different columns"
            );
        }
        let compared = args.columns.iter().map(|wanted| find("--columns", wanted));
        let mut compared: Vec<usize> = compared.collect::<Result<_, _>>()?;
        let ignored = args
            .ignore
            .iter()
            .map(|wanted| match names.contains(wanted) {
                true => Ok(Some(wanted)),
                false => find("--ignore", wanted).map(|place| names.get(place)),
            });
        let ignored = ignored.collect::<Result<Vec<_>, _>>()?;
        let mut left_out = Vec::new();
        if args.columns.is_empty() {
            for (place, name) in names.iter().enumerate() {
                if place == key || Some(place) == subprofile || ignored.contains(&Some(name)) {
                    continue;
                }
                match is_system(name) {
                    true => left_out.push(name.clone()),
                    false => compared.push(place),
                }
            }
        }
        compared.sort_unstable();
        compared.dedup();
        let mut seen = std::collections::HashMap::new();
        for place in &compared {
            let Some(column) = names.get(*place) else {
                continue;
            };
            if column.is_empty() {
                wrong_usage!("{name}: column {} has no name", place + 1);
            }
            if let Some(first) = seen.insert(column, place) {
                wrong_usage!(
                    "{name}: the columns {} and {} are both called {column:?}: leave one out of the export, or both with --ignore",
                    first + 1,
                    place + 1
                );
            }
        }
        if compared.is_empty() {
            wrong_usage!(
                "{name}: there is no column to compare; the columns are {}",
                list(&names)
            );
        }
        Ok(Self {
            dialect: dialect(delimiter),
            names,
            key,
            subprofile,
            compared,
            left_out,
        })
    }

    /// Whether a value seems to contain rows, as after an unclosed quote: another line of
    /// it has a number in the place of the key.
    pub fn holds_rows(&self, value: &str) -> bool {
        value.lines().skip(1).any(|line| {
            let mut cells = line.split(char::from(self.dialect.delimiter));
            let key = cells.nth(self.key).unwrap_or_default();
            let more = self.key > 0 || cells.next().is_some();
            more && !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit())
        })
    }

    pub fn compared_names(&self) -> Vec<String> {
        let places = self.compared.iter();
        places
            .filter_map(|place| self.names.get(*place).cloned())
            .collect()
    }
}

/// The names in the first line; `None` if they are not UTF-8.
fn names(head: &[u8], dialect: Dialect) -> Option<Vec<String>> {
    let mut record = csv::StringRecord::new();
    dialect.reader(head).read_record(&mut record).ok()?;
    let names = record.iter().map(|name| name.trim_end_matches('\r'));
    Some(names.map(str::to_owned).collect())
}

/// The place of a column; an error unless it is there exactly once.
fn place(names: &[String], wanted: &str) -> Result<usize, String> {
    let places = |is: &dyn Fn(&str) -> bool| -> Vec<usize> {
        let named = names.iter().enumerate();
        named
            .filter(|(_, name)| is(name))
            .map(|(place, _)| place)
            .collect()
    };
    let mut found = places(&|name| name == wanted);
    if found.is_empty() {
        found = places(&|name| name.trim().eq_ignore_ascii_case(wanted.trim()));
    }
    match found.as_slice() {
        [place] => Ok(*place),
        [] => {
            let mut wrong = format!("no column {wanted:?}; it has {}", list(names));
            if let Some(near) = nearest(wanted, names.iter().map(String::as_str)) {
                wrong += &format!(". Did you mean {near:?}?");
            }
            Err(wrong)
        }
        [first, second, ..] => Err(format!(
            "more than one column {wanted:?}: columns {} and {}",
            first + 1,
            second + 1
        )),
    }
}

fn list(names: &[String]) -> String {
    first_of(names.iter().map(|name| format!("{name:?}")), NAMED)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use clap::{Args as _, FromArgMatches as _};
    use std::io::Write;

    fn find(text: &[u8], args: &[&str]) -> Result<Columns, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        let command = ReconcileArgs::augment_args(clap::Command::new("reconcile"));
        let words = ["reconcile", "export.csv"].iter().chain(args);
        let matches = command.try_get_matches_from(words).unwrap();
        let args = ReconcileArgs::from_arg_matches(&matches).unwrap();
        let found = Export::open(file.path(), None);
        let found = found.and_then(|export| Columns::find(&export, &args));
        found.map_err(|error| error.to_string())
    }

    #[test]
    fn the_separator_is_found_by_the_numbers_column() {
        for (text, separator) in [
            ("id;mail;a,b\n", b';'),
            ("id,mail,a;b\n", b','),
            ("mail\tID\tx;y\n", b'\t'),
            ("\"mail;x,y;z\",id\n", b','),
            ("\u{feff}\"id\";\"naam\"\r\n1;x\r\n", b';'),
            ("sep=|\r\nid|a,b;c\r\n", b'|'),
            ("\"SEP=;\"\nid;a,b,c\n", b';'),
            ("\u{feff}sep=\t\nid\ta,b\n", b'\t'),
        ] {
            let found = find(text.as_bytes(), &[]).unwrap();
            assert_eq!(found.dialect.delimiter, separator, "{text:?}");
            assert!(!found.compared.contains(&found.key));
        }
    }

    #[test]
    fn columns_not_present_exactly_once_are_reported_with_those_present() {
        let wrong = find(b"id;mail;city\n", &["--key-column", "mial"]).unwrap_err();
        assert!(
            wrong.contains("it has \"id\", \"mail\", \"city\"")
                && wrong.contains("Did you mean \"mail\"?"),
            "{wrong}"
        );
        let wrong = find(b"id,mail,mail\n", &[]).unwrap_err();
        assert!(wrong.contains("columns 2 and 3"), "{wrong}");
        let found = find(b"id,mail,mail,x\n", &["--ignore", "mail"]).unwrap();
        assert_eq!(found.compared, [3]);
        let found = find(b"id,Mail,x\n", &["--ignore", "mail"]).unwrap();
        assert_eq!(found.compared, [2]);
        for (text, what) in [
            (&b""[..], "is empty"),
            (b"\r\n \n", "is empty"),
            (b"\x1f\x8b\x08", "is compressed"),
            (b"\xff\xfei\0d\0", "no column to compare"),
            (b"id;x\r1;y\r", "carriage returns"),
            (b"id;Access code;Profile created\n", "no column to compare"),
            (b"id;caf\xe9\n1;x", "not UTF-8"),
            (b"id\n1\n", "no column to compare"),
            (b"id;\n", "no name"),
            (b"id;ID;x\n", ""),
        ] {
            match find(text, &[]) {
                Err(wrong) => assert!(wrong.contains(what) && !what.is_empty(), "{wrong}"),
                // The exact name comes before a similar one.
                Ok(found) => assert_eq!((found.key, what), (0, "")),
            }
        }
    }
}
