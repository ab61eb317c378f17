//! The file of an export: opening, decoding, and the format of its rows.

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use anyhow::Context;
use encoding_rs::{Encoding, REPLACEMENT};
use encoding_rs_io::DecodeReaderBytesBuilder;

use crate::cli::context::UsageError;

/// How many bytes are read to recognise the file.
const LOOK: usize = 64 << 10;

/// The most bytes of a row: an open quote would otherwise take all that follows.
const ROW: u64 = 16 << 20;

pub struct Export {
    /// Its name in messages.
    pub name: String,
    /// Its size in bytes, if known.
    pub size: Option<u64>,
    /// Its first bytes, from the line of names on.
    pub head: Vec<u8>,
    /// The column separator that its first line declares, as spreadsheets do (`sep=;`).
    pub declared: Option<u8>,
    charset: Option<&'static Encoding>,
    rest: Option<Box<dyn Read>>,
}

/// How the rows of a file are written.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// The column separator.
    pub delimiter: u8,
    /// Whether quotes enclose values; else they are ordinary characters.
    pub quotes: bool,
}

impl Dialect {
    /// How rows with this separator are read. Without a choice, a quote is an ordinary character
    /// where tabs separate columns and the line of names has no quotes, as in Copernica's exports.
    pub fn new(delimiter: u8, quotes: Option<bool>, head: &[u8]) -> Self {
        let names = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Self {
            delimiter,
            quotes: quotes.unwrap_or(delimiter != b'\t' || names.contains(&b'"')),
        }
    }

    /// The reader of such rows. Only a line feed ends a line, so that line numbers are
    /// those of an editor; a carriage return before it is cut off later.
    pub fn reader<R: Read>(self, input: R) -> csv::Reader<R> {
        csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.delimiter)
            .quoting(self.quotes)
            .terminator(csv::Terminator::Any(b'\n'))
            .from_reader(input)
    }
}

/// Parses the name of a charset.
pub fn charset(name: &str) -> Result<&'static Encoding, String> {
    let found = Encoding::for_label(name.as_bytes()).filter(|found| *found != REPLACEMENT);
    found
        .ok_or_else(|| "write a name such as utf-8, windows-1252, iso-8859-15 or utf-16".to_owned())
}

impl Export {
    /// Opens a file, or standard input for `-`. A byte order mark overrides the named
    /// charset.
    pub fn open(path: &Path, charset: Option<&'static Encoding>) -> anyhow::Result<Self> {
        let (input, size) = crate::cli::import::open(path)?;
        let name = match path == Path::new("-") {
            true => "standard input".to_owned(),
            false => path.display().to_string(),
        };
        let mut input = BufReader::new(input);
        let reading = || format!("reading {name}");
        let is = |what: &str| Err(UsageError::new(format!("{name} {what}")).into());
        let begin = input.fill_buf().with_context(reading)?;
        if begin.starts_with(b"\x1f\x8b") {
            return is("is compressed: unpack it first");
        }
        if begin.starts_with(b"PK\x03\x04") {
            return is("is compressed, or a workbook: unpack it, or save it as CSV, first");
        }
        let charset = charset.filter(|_| !begin.starts_with(b"\xef\xbb\xbf"));
        let mut rest = DecodeReaderBytesBuilder::new()
            .encoding(charset)
            .bom_override(true)
            .strip_bom(true)
            .utf8_passthru(true)
            .build(input);
        let mut head = Vec::new();
        let read = rest.by_ref().take(LOOK as u64).read_to_end(&mut head);
        read.with_context(reading)?;
        let declared = declared(&head);
        if declared.is_some() {
            let end = memchr::memchr(b'\n', &head).map_or(head.len(), |end| end + 1);
            head.drain(..end);
        }
        if head.iter().all(u8::is_ascii_whitespace) {
            return is("is empty: it must begin with a line of column names");
        }
        if !head.contains(&b'\n') && head.contains(&b'\r') {
            return is("ends its lines with carriage returns only: save it with other line ends");
        }
        Ok(Self {
            name,
            size,
            head,
            declared,
            charset,
            rest: Some(Box::new(rest)),
        })
    }

    /// Its rows, with the line of names. Only to be called once.
    pub fn csv(&mut self, dialect: Dialect) -> csv::Reader<Bounded<impl Read + use<>>> {
        let rest = self.rest.take().unwrap_or_else(|| Box::new(io::empty()));
        dialect.reader(Bounded {
            // The last row ends with a line feed, too.
            inner: Cursor::new(self.head.clone()).chain(rest).chain(&b"\n"[..]),
            read: 0,
        })
    }

    /// Reads the next row: its cells, and the line where it begins; `None` at the end.
    pub fn row(
        &self,
        csv: &mut csv::Reader<Bounded<impl Read>>,
        record: &mut csv::ByteRecord,
    ) -> anyhow::Result<Option<(u64, Vec<String>)>> {
        let lines_before = u64::from(self.declared.is_some());
        loop {
            let last = csv.position().line() + lines_before;
            let more = csv.read_byte_record(record);
            let more = more.with_context(|| format!("{}, after line {last}", self.name))?;
            // The next may be as long again.
            csv.get_mut().read = 0;
            if !more {
                return Ok(None);
            }
            let breaks = record.as_slice().iter().filter(|byte| **byte == b'\n');
            let line =
                (csv.position().line() + lines_before).saturating_sub(1 + breaks.count() as u64);
            let cells = record.iter().map(|cell| std::str::from_utf8(cell));
            let cells: Result<Vec<&str>, _> = cells.collect();
            let garbled = |cells: &[&str]| {
                self.charset.is_some() && cells.iter().any(|cell| cell.contains('\u{fffd}'))
            };
            let Some(mut cells) = cells.ok().filter(|cells| !garbled(cells)) else {
                let charset = self.charset.map_or("UTF-8", Encoding::name);
                anyhow::bail!(
                    "{}: line {line} is not {charset}: name the file's charset, as in --charset windows-1252",
                    self.name
                );
            };
            if let Some(last) = cells.last_mut() {
                *last = last.strip_suffix('\r').unwrap_or(last);
            }
            if cells != [""] {
                return Ok(Some((line, cells.into_iter().map(str::to_owned).collect())));
            }
        }
    }
}

/// Whether a byte can separate columns.
pub fn is_delimiter(byte: u8) -> bool {
    byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n')
}

/// The column separator that a first line such as `sep=;` declares.
fn declared(head: &[u8]) -> Option<u8> {
    let line = head.split(|byte| *byte == b'\n').next()?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line
        .strip_prefix(b"\"")
        .and_then(|line| line.strip_suffix(b"\""))
        .unwrap_or(line);
    match line.split_at_checked(4)? {
        (sep, [delimiter]) if sep.eq_ignore_ascii_case(b"sep=") => {
            Some(*delimiter).filter(|delimiter| is_delimiter(*delimiter))
        }
        _ => None,
    }
}

/// Fails if a row does not end.
pub struct Bounded<R> {
    inner: R,
    /// How many bytes of this row were read.
    read: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read > ROW {
            let what = format!(
                "the row after it is longer than {} MiB: is a quote in it not closed? (--quotes \
                 off reads quotes as ordinary characters)",
                ROW >> 20
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let count = self.inner.read(buffer)?;
        self.read += count as u64;
        Ok(count)
    }
}
