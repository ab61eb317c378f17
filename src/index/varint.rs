//! LEB128 varints, in which blocks keep numbers.

/// Appends a varint.
pub(super) fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Takes a varint off the front.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = take_byte(bytes)?;
        value |= u64::from(byte & 0x7F).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Appends a number that may be negative, as a zigzag varint.
pub(super) fn put_signed(bytes: &mut Vec<u8>, value: i64) {
    put(bytes, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Takes a zigzag varint off the front.
pub(super) fn take_signed(bytes: &mut &[u8]) -> Option<i64> {
    let value = take(bytes)?;
    Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
}

/// Takes bytes after their length off the front.
pub(super) fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(take(bytes)?).ok()?;
    let (value, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(value)
}

/// Takes a byte off the front.
pub(super) fn take_byte(bytes: &mut &[u8]) -> Option<u8> {
    let (byte, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*byte)
}

/// Passes over varints.
pub(super) fn skip(bytes: &mut &[u8], mut count: usize) -> Option<()> {
    // Every varint ends with the one byte of it that is below 0x80.
    while count >= 8
        && let Some((eight, rest)) = bytes.split_first_chunk()
    {
        let ends = !u64::from_le_bytes(*eight) & 0x8080_8080_8080_8080;
        count -= ends.count_ones() as usize;
        *bytes = rest;
    }
    while count > 0 {
        count -= usize::from(take_byte(bytes)? & 0x80 == 0);
    }
    Some(())
}
