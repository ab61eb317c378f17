//! The size of the raw lines after zstd in one piece: about the minimum for keeping every
//! byte.

use std::io::Write;

use super::generate::Bodies;

/// The usual level of compression.
const LEVEL: i32 = 3;

/// Counts the bytes that are written to it.
#[derive(Default)]
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The bytes of `count` bodies, one a line, uncompressed and compressed.
pub fn zstd_bytes(bodies: &mut Bodies, count: u64) -> anyhow::Result<(u64, u64)> {
    let mut encoder = zstd::Encoder::new(Counter::default(), LEVEL)?;
    let mut raw = 0;
    for body in bodies.take(usize::try_from(count)?) {
        encoder.write_all(&body)?;
        encoder.write_all(b"\n")?;
        raw += body.len() as u64 + 1;
    }
    Ok((raw, encoder.finish()?.0))
}
