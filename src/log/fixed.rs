//! Numbers of fixed length, little-endian, as bincode writes them.

use bincode::config::{Configuration, Fixint, LittleEndian, standard};
use bincode::{Decode, Encode};

const CONFIG: Configuration<LittleEndian, Fixint> = standard().with_fixed_int_encoding();

/// Appends a value. Numbers and arrays always can be; `None` otherwise.
pub(super) fn put(bytes: &mut Vec<u8>, value: impl Encode) -> Option<()> {
    bincode::encode_into_std_write(value, bytes, CONFIG).ok()?;
    Some(())
}

/// Reads the value at the start of some bytes.
pub(super) fn get<T: Decode<()>>(bytes: &[u8]) -> Option<T> {
    let (value, _) = bincode::decode_from_slice(bytes, CONFIG).ok()?;
    Some(value)
}
