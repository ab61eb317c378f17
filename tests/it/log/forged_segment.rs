//! A sealed segment that claims lengths which no frame has costs no memory and no
//! event but those of the forged block.

use std::io::Write;
use std::path::Path;

use profiletrail::log::{OpenMode, Visited};

use crate::support::files;
use crate::support::sealed_log::{
    DIR, ID, all, appending, disk_of, filled, names, open, readable, seal_all,
};

const NAME: &str = "00000000000000000001.log.zst";

/// The bytes of a footer's entry.
const ENTRY: usize = 40;

/// A sealed segment: the blocks' bytes, the footer's entry of each, and the name of the
/// next segment.
fn sealed() -> (Vec<Vec<u8>>, Vec<[u8; ENTRY]>, String) {
    let disk = filled();
    seal_all(&open(&disk, appending()).unwrap().log).unwrap();
    let bytes = files::read(&disk, &Path::new(DIR).join(NAME));
    let end = bytes.len() - 9;
    let count = u32::from_le_bytes(bytes[end..end + 4].try_into().unwrap()) as usize - 1;
    let footer = bytes.len() - (32 + count * ENTRY + 4 + 17 + (count + 1) * 8);
    let (entries, _) = bytes[footer + 32..][..count * ENTRY].as_chunks();
    let mut rest = &bytes[..footer];
    let blocks = entries.iter().map(|entry| {
        let (block, after) = rest.split_at(number(entry, 12) as usize);
        rest = after;
        block.to_vec()
    });
    (blocks.collect(), entries.to_vec(), names(&disk)[1].clone())
}

fn number(entry: &[u8; ENTRY], at: usize) -> u32 {
    u32::from_le_bytes(entry[at..at + 4].try_into().unwrap())
}

fn set(entry: &mut [u8; ENTRY], at: usize, number: u32) {
    entry[at..at + 4].copy_from_slice(&number.to_le_bytes());
}

/// A segment of these blocks, with correct checksums.
fn segment(blocks: &[Vec<u8>], entries: &[[u8; ENTRY]]) -> Vec<u8> {
    let mut bytes = blocks.concat();
    let count = entries.len() as u32;
    let mut footer = 0x184D_2A50_u32.to_le_bytes().to_vec();
    footer.extend((24 + count * ENTRY as u32 + 4).to_le_bytes());
    footer.extend(b"PTLS\x01\0\0\0");
    footer.extend(ID.to_le_bytes());
    footer.extend(count.to_le_bytes());
    footer.extend([0; 4]);
    footer.extend(entries.as_flattened());
    footer.extend(crc32c::crc32c(&footer[8..]).to_le_bytes());
    let footer_len = footer.len() as u32;
    footer.extend(0x184D_2A5E_u32.to_le_bytes());
    footer.extend(((count + 1) * 8 + 9).to_le_bytes());
    for entry in entries {
        footer.extend_from_slice(&entry[12..20]);
    }
    footer.extend(footer_len.to_le_bytes());
    footer.extend([0; 4]);
    footer.extend((count + 1).to_le_bytes());
    footer.push(0);
    footer.extend(0x8F92_EAB1_u32.to_le_bytes());
    bytes.extend(footer);
    bytes
}

/// The numbers that can be read of a log with this segment, and the damage in it.
fn read(bytes: &[u8], next: &str, count: u64) -> (Vec<u64>, Vec<String>) {
    let log = open(&disk_of(NAME, bytes, next), OpenMode::Read)
        .unwrap()
        .log;
    let found = readable(&log, count);
    let checked = log.check_segment(1, count + 1, &mut |_| Visited::default());
    let damage = checked.unwrap().damage;
    assert!(damage.iter().all(|damage| damage.segment.ends_with(NAME)));
    let damage = damage.iter().map(ToString::to_string);
    (found.into_iter().collect(), damage.collect())
}

#[test]
fn a_footer_that_claims_too_long_a_block_is_not_believed() {
    let (blocks, mut entries, next) = sealed();
    let count = next[..20].parse::<u64>().unwrap() - 1;
    let whole: Vec<u64> = all(count).into_iter().collect();
    let (found, damage) = read(&segment(&blocks, &entries), &next, count);
    assert_eq!((found, damage), (whole.clone(), vec![]));
    for (at, claimed) in [(16, u32::MAX), (16, 1 << 30), (12, u32::MAX)] {
        let before = entries[1];
        set(&mut entries[1], at, claimed);
        let (found, damage) = read(&segment(&blocks, &entries), &next, count);
        entries[1] = before;
        assert_eq!(found, whole, "{at} {claimed}");
        assert!(damage.last().unwrap().contains("the footer is damaged"));
    }
}

#[test]
fn a_block_that_unpacks_to_a_gigabyte_is_damage() {
    let (mut blocks, mut entries, next) = sealed();
    let count = next[..20].parse::<u64>().unwrap() - 1;
    let mut packed = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    packed.include_contentsize(true).unwrap();
    packed.set_pledged_src_size(Some(1 << 30)).unwrap();
    let chunk = vec![0; 1 << 20];
    for _ in 0..1 << 10 {
        packed.write_all(&chunk).unwrap();
    }
    blocks[1] = packed.finish().unwrap();
    set(&mut entries[1], 12, blocks[1].len() as u32);
    set(&mut entries[1], 16, 1 << 30);
    set(&mut entries[1], 20, crc32c::crc32c(&blocks[1]));
    let (found, damage) = read(&segment(&blocks, &entries), &next, count);
    let first = u64::from(number(&entries[1], 0));
    let lost = first..first + u64::from(number(&entries[1], 8));
    let expected: Vec<u64> = (1..=count).filter(|seq| !lost.contains(seq)).collect();
    assert_eq!(found, expected);
    let place = format!("offset {} ({} bytes)", blocks[0].len(), blocks[1].len());
    let events = format!("events {} to {} are lost", lost.start, lost.end - 1);
    assert!(
        damage
            .iter()
            .any(|it| it.contains(&place) && it.contains(&events)),
        "{damage:?}"
    );
}
