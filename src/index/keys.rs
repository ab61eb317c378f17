//! The names under which the index keeps its values; [`super::store`] has their table.

use crate::event::ProfileKey;

pub(super) fn key_bytes(prefix: u8, key: ProfileKey) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(24);
    bytes.push(prefix);
    bytes.extend_from_slice(&key.profile.to_be_bytes());
    match key.subprofile {
        None => bytes.push(0),
        Some(subprofile) => {
            bytes.push(1);
            bytes.extend_from_slice(&subprofile.to_be_bytes());
        }
    }
    bytes
}

pub(super) fn parse_key(bytes: &[u8]) -> Option<ProfileKey> {
    let (profile, rest) = bytes.get(1..)?.split_first_chunk::<8>()?;
    let (flag, rest) = rest.split_first()?;
    let subprofile = match flag {
        0 => None,
        _ => Some(u64::from_be_bytes(rest.try_into().ok()?)),
    };
    Some(ProfileKey {
        profile: u64::from_be_bytes(*profile),
        subprofile,
    })
}

pub(super) fn chunk_key(key: ProfileKey, number: u64) -> Vec<u8> {
    let mut bytes = key_bytes(b'c', key);
    bytes.extend_from_slice(&(number as u32).to_be_bytes());
    bytes
}

pub(super) fn owner_key(subprofile: u64) -> Vec<u8> {
    [b"s".as_slice(), &subprofile.to_be_bytes()].concat()
}
