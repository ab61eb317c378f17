//! The file of an export: opened, and checked for its encoding.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;
use std::rc::Rc;

use anyhow::Context;

use crate::cli::context::UsageError;

/// How many bytes are read to recognise the file.
const LOOK: usize = 64 << 10;

/// The most bytes of a row: an open quote would otherwise take all that follows.
const ROW: u64 = 16 << 20;

/// An export that was opened.
pub struct Export {
    /// How it is named in messages.
    pub name: String,
    /// Its size in bytes, where that is known.
    pub size: Option<u64>,
    /// Its first bytes.
    pub head: Vec<u8>,
    rest: Option<Box<dyn Read>>,
    read: Rc<Cell<u64>>,
}

impl Export {
    /// Opens a file, or standard input where it is `-`.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let (name, size, mut rest): (_, _, Box<dyn Read>) = if path == Path::new("-") {
            ("standard input".to_owned(), None, Box::new(io::stdin()))
        } else {
            let name = path.display().to_string();
            let file = File::open(path).with_context(|| format!("opening {name}"))?;
            let data = file.metadata().with_context(|| format!("reading {name}"))?;
            let size = data.is_file().then_some(data.len());
            (name, size, Box::new(BufReader::new(file)))
        };
        let mut head = Vec::new();
        let read = rest.by_ref().take(LOOK as u64).read_to_end(&mut head);
        read.with_context(|| format!("reading {name}"))?;
        let is = |what: &str| Err(UsageError::new(format!("{name} {what}")).into());
        if head.starts_with(b"\x1f\x8b") || head.starts_with(b"PK\x03\x04") {
            return is("is compressed: unpack it first");
        }
        if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
            return is("is UTF-16: export it as UTF-8, or convert it with iconv");
        }
        if head.starts_with(b"\xef\xbb\xbf") {
            head.drain(..3);
        }
        if head.iter().all(u8::is_ascii_whitespace) {
            return is("is empty: it must begin with a line of column names");
        }
        Ok(Self {
            name,
            size,
            head,
            rest: Some(rest),
            read: Rc::default(),
        })
    }

    /// Its rows, with the line of names. Only to be called once.
    pub fn csv(&mut self, delimiter: u8) -> csv::Reader<impl Read + use<>> {
        let rest = self.rest.take().unwrap_or_else(|| Box::new(io::empty()));
        let bounded = Bounded {
            inner: Cursor::new(self.head.clone()).chain(rest),
            read: Rc::clone(&self.read),
        };
        builder(delimiter).from_reader(bounded)
    }

    /// To be called after each row: the next may be as long again.
    pub fn row_ended(&self) {
        self.read.set(0);
    }
}

/// How a file is read.
pub fn builder(delimiter: u8) -> csv::ReaderBuilder {
    let mut builder = csv::ReaderBuilder::new();
    builder
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter);
    builder
}

/// Fails where a row does not end.
struct Bounded<R> {
    inner: R,
    read: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read.get() > ROW {
            let what = format!(
                "the row after it is longer than {} MiB: is a quote in it not closed?",
                ROW >> 20
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let count = self.inner.read(buffer)?;
        self.read.set(self.read.get() + count as u64);
        Ok(count)
    }
}
