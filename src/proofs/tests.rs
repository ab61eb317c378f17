//! The prover on a simulated disk, with kills and power cuts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::note::Signer;
use super::tree::Frontier;
use super::*;
use crate::dice::Dice;
use crate::log::record::tests::example;
use crate::log::record::{event_time, is_pruned, tombstone_leaf};
use crate::log::salt::{SaltTree, Salts};
use crate::log::{Log, NotSealed, OpenMode, Scanned, TILE, Writer, leaf_of};
use crate::storage::{Access, Fault, SimulatedDisk, Storage, read_start, write_new};
use crate::store::retention::{Leaves, Removal};

const ID: u64 = 0x0123_4567_89ab_cdef;
const SALTS: [u8; 32] = [3; 32];

fn record(seq: u64) -> Vec<u8> {
    let body = format!("fields[a]={seq}");
    let mut record = example(body.as_bytes());
    record.head.time = seq as i64;
    record.encode().unwrap()
}

fn leaf(seq: u64) -> Hash {
    leaf_of(seq, &record(seq), &mut Salts::new(SaltTree::new(SALTS))).unwrap()
}

/// The root of the first events.
fn root_of(size: u64) -> Hash {
    let leaves: Vec<Hash> = (1..=size).map(leaf).collect();
    Frontier::of(&leaves).root()
}

fn open(disk: &SimulatedDisk) -> (Log, Option<Writer>, Prover) {
    let mode = OpenMode::Append {
        segment_size: 6_000,
    };
    let opened = Log::open(Arc::new(disk.clone()), Path::new("/data/log"), ID, mode).unwrap();
    let prover = Prover::new(
        Arc::new(disk.clone()),
        opened.log.clone(),
        PathBuf::from("/data/proofs"),
        ID,
        SaltTree::new(SALTS),
    );
    (opened.log, opened.writer, prover)
}

fn append(writer: &mut Writer, first: u64, count: u64) -> bool {
    let records: Vec<_> = (first..first + count).map(record).collect();
    writer.append(&records).is_ok()
}

fn filled(events: u64) -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let (_, writer, _) = open(&disk);
    let mut writer = writer.unwrap();
    for first in (1..=events).step_by(50) {
        assert!(append(&mut writer, first, 50.min(events + 1 - first)));
    }
    disk
}

fn write(disk: &SimulatedDisk, name: &str, at: u64, bytes: &[u8]) {
    let path = Path::new("/data/proofs").join(name);
    let file = disk.open(&path, Access::Write).unwrap();
    file.write_at(bytes, at).unwrap();
}

fn content(files: &[BundleFile], name: &str) -> std::io::Result<Vec<u8>> {
    let file = files.iter().find(|file| file.file == name);
    file.map_or(Err(std::io::ErrorKind::NotFound.into()), BundleFile::bytes)
}

fn refusal(prover: &Prover) -> String {
    let refused = prover.sign(&|| false);
    assert!(
        matches!(refused, Err(ProofError::Refused(_))),
        "{refused:?}"
    );
    prover.refusal().unwrap()
}

/// Prunes the events up to one, and returns the number of empty records and of
/// tombstones in the log.
fn prune(log: &Log, prover: &Prover, last: u64) -> Result<(u64, u64), NotSealed> {
    let salts = std::cell::RefCell::new(Salts::new(SaltTree::new(SALTS)));
    let removal = Removal {
        segments: log.closed(),
        covers: &|seq, _| seq <= last,
        time_of: &event_time,
        leaves: Some(Leaves {
            tiles: prover.signed_tiles(&|| false).unwrap_or(0),
            anchored: prover.anchored_tiles().unwrap_or_default(),
            leaf_of: &|seq, record| leaf_of(seq, record, &mut salts.borrow_mut()),
        }),
    };
    removal.run(log, &|| false, &mut |_, _| ())?;
    let (mut empty, mut graves) = (0, 0);
    let mut scan = log.scan(1);
    while let Some(found) = scan.step()? {
        let Scanned::Records(records) = found else {
            panic!("damage")
        };
        for (seq, bytes) in records {
            assert!(seq > last || is_pruned(bytes) || bytes == record(seq));
            empty += u64::from(bytes.is_empty());
            if let Some(found) = tombstone_leaf(bytes) {
                assert_eq!(found, leaf(seq));
                graves += 1;
            }
        }
    }
    Ok((empty, graves))
}

fn agrees(prover: &Prover, signed: &[Checkpoint]) {
    for old in signed {
        let now = prover.sign(&|| false).unwrap();
        let (proof, root) = prover.consistency(old.size, &now).unwrap();
        assert_eq!(root, old.root);
        let (old, new) = ((old.size, old.root), (now.size, now.root));
        assert!(is_consistent(old, new, &proof));
    }
}

fn results(prover: &Prover, old: Option<&Checkpoint>) -> Vec<(u64, u64, Comparison)> {
    let old = old.map(|old| (old, None));
    let found = examine(prover, old, &mut |_, _| ()).unwrap();
    let found = found.into_iter();
    found
        .map(|found| (found.first_seq, found.last_seq, found.result))
        .collect()
}

#[test]
fn checkpoints_ever_given_are_consistent_over_kills_and_power_cuts() {
    let roots: Vec<Hash> = {
        let mut tree = Frontier::default();
        let mut roots = vec![tree.root()];
        for seq in 1..=2_500 {
            tree.push(leaf(seq));
            roots.push(tree.root());
        }
        roots
    };
    for seed in 0..6 {
        let mut dice = Dice(seed);
        let mut disk = SimulatedDisk::new();
        let (mut given, mut largest): (Vec<Checkpoint>, u64) = (Vec::new(), 0);
        for _ in 0..12 {
            let (log, writer, prover) = open(&disk);
            let Some(mut writer) = writer else {
                panic!("the log cannot be appended to")
            };
            assert!(log.last_seq() >= largest);
            let faults = [Fault::Error, Fault::Full, Fault::PowerCut];
            let fault = faults[dice.below(3) as usize];
            disk.plan(disk.operations() + 1 + dice.below(60), fault);
            for _ in 0..dice.below(8) {
                let (next, count) = (log.last_seq() + 1, 1 + dice.below(60));
                if next + count > 2_500 || !append(&mut writer, next, count) {
                    break;
                }
                let signed = match dice.below(2) {
                    0 => prover.follow(u64::MAX, &|| false).map(|()| None),
                    _ => prover.sign(&|| false).map(Some),
                };
                match signed {
                    Ok(signed) => given.extend(signed),
                    Err(ProofError::Log(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!(prover.refusal(), None);
            largest = given.last().map_or(0, |given| given.size);
            disk = match dice.below(2) {
                0 => disk.process_killed(),
                _ => disk.power_cut(dice.below(u64::MAX)),
            };
            disk.make_room();
        }
        assert!(given.is_sorted_by_key(|given| given.size));
        for checkpoint in &given {
            assert_eq!(checkpoint.root, roots[checkpoint.size as usize]);
        }
        let (_, _, prover) = open(&disk);
        if disk.list(Path::new("/data/proofs")).is_ok() {
            agrees(&prover, &given);
        }
    }
}

#[test]
fn a_pruned_log_proves_what_is_left_and_all_that_was_signed() {
    let disk = filled(700);
    let (log, _, prover) = open(&disk);
    let mut signed = vec![prover.sign(&|| false).unwrap()];
    assert_eq!(signed[0].root, root_of(700));
    let before = prover.prove(300).unwrap();
    // The first tile is removed completely; some events of the second stay.
    let (empty, graves) = prune(&log, &prover, 300).unwrap();
    assert_eq!((empty, graves), (256, 44));
    drop(prover);
    let (log, writer, prover) = open(&disk.process_killed());
    agrees(&prover, &signed);
    assert!(append(&mut writer.unwrap(), 701, 60));
    signed.push(prover.sign(&|| false).unwrap());
    assert_eq!(signed[1].root, root_of(760));
    agrees(&prover, &signed);
    for seq in [301, 512, 513, 760] {
        let files = prover.prove(seq).unwrap();
        let read = |name: &str| content(&files, name);
        let checked = check_bundle(&read, &prover.vkey().unwrap().into()).unwrap();
        assert_eq!((checked.seq, checked.size), (seq, 760));
    }
    for (seq, why) in [
        (1, "pruned"),
        (300, "pruned"),
        (761, "no event"),
        (0, "no event"),
    ] {
        let error = prover.prove(seq).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    // An old proof needs nothing of the log.
    let read = |name: &str| content(&before, name);
    assert!(check_bundle(&read, &prover.vkey().unwrap().into()).is_ok());
    assert_eq!(results(&prover, None), []);
    assert_eq!(
        results(&prover, Some(&signed[0]))[0],
        (1, 700, Comparison::Same)
    );
    // Now the second tile, too: its tombstones are not needed any more, but stay in a
    // segment that loses nothing else.
    let (empty, graves) = prune(&log, &prover, 520).unwrap();
    assert_eq!((empty, graves), (468, 52));
    agrees(&prover, &signed);
    assert_eq!(results(&prover, None), []);
}

#[test]
fn a_fault_at_any_operation_of_a_prune_leaves_what_proofs_need() {
    let before = filled(560);
    let signed = open(&before).2.sign(&|| false).unwrap();
    let clean = before.process_killed();
    let (log, _, prover) = open(&clean);
    let begin = clean.operations();
    assert_eq!(prune(&log, &prover, 300).unwrap(), (256, 44));
    for operation in 1..=clean.operations() - begin {
        for fault in [Fault::Error, Fault::PowerCut] {
            let disk = before.process_killed();
            let (log, _, prover) = open(&disk);
            disk.plan(disk.operations() + operation, fault);
            let _ = prune(&log, &prover, 300);
            for found in [disk.power_cut(operation), disk.process_killed()] {
                let (log, _, prover) = open(&found);
                agrees(&prover, std::slice::from_ref(&signed));
                // If signing failed, more hashes are kept than necessary.
                let (empty, graves) = prune(&log, &prover, 300).unwrap();
                assert!(empty + graves == 300 && graves >= 44, "{empty} {graves}");
                agrees(&prover, std::slice::from_ref(&signed));
            }
        }
    }
}

#[test]
fn without_signed_tiles_every_pruned_event_keeps_its_leaf() {
    let disk = filled(700);
    let (log, _, prover) = open(&disk);
    prover.sign(&|| false).unwrap();
    write(&disk, "checkpoint", 20, b"?");
    drop(prover);
    let (_, _, prover) = open(&disk);
    assert!(refusal(&prover).contains("proofs/checkpoint"));
    assert_eq!(prune(&log, &prover, 300).unwrap(), (0, 300));
}

#[test]
fn damaged_files_are_made_again_or_nothing_is_signed() {
    let disk = filled(700);
    let signed = open(&disk).2.sign(&|| false).unwrap();
    // All leaves are there: tiles and partial leaves are made again.
    for name in ["tiles", "partial"] {
        let other = disk.process_killed();
        write(&other, name, 9, b"?");
        assert_eq!(open(&other).2.sign(&|| false).unwrap(), signed, "{name}");
        other.remove(&Path::new("/data/proofs").join(name)).unwrap();
        let (log, _, prover) = open(&other);
        assert_eq!(prover.sign(&|| false).unwrap(), signed, "{name}");
        prune(&log, &prover, 400).unwrap();
        if name == "tiles" {
            write(&other, name, 9, b"?");
        }
        let (_, writer, prover) = open(&other);
        if name == "tiles" {
            assert!(refusal(&prover).contains("root that was signed"));
            assert_eq!(results(&prover, None)[0].2, Comparison::Differs);
        } else {
            assert!(append(&mut writer.unwrap(), 701, 5));
            assert_eq!(prover.sign(&|| false).unwrap().root, root_of(705));
        }
    }
    // A log that has become shorter, as after an older backup without `proofs/`.
    let short = filled(600);
    for name in ["tiles", "partial", "checkpoint", "key"] {
        let path = Path::new("/data/proofs").join(name);
        let bytes = read_start(&disk, &path, usize::MAX).unwrap();
        write_new(&short, &path, &bytes).unwrap();
    }
    let (_, writer, prover) = open(&short);
    assert!(refusal(&prover).contains("the log only 600"));
    // It grows beyond the signed tree with other events.
    let mut writer = writer.unwrap();
    let others: Vec<_> = (9_601..=9_720).map(record).collect();
    writer.append(&others).unwrap();
    let (_, _, prover) = open(&short);
    assert!(refusal(&prover).contains("is not the one that was signed"));
    let found = results(&prover, Some(&signed));
    assert_eq!(found[0], (513, 700, Comparison::Differs));
}

#[test]
fn a_folder_without_its_key_is_a_fork() {
    let disk = filled(300);
    let (_, _, prover) = open(&disk);
    let old = prover.sign(&|| false).unwrap();
    assert_eq!(old.origin, "profiletrail/0123456789abcdef");
    disk.remove(Path::new("/data/proofs/key")).unwrap();
    let (_, writer, prover) = open(&disk);
    // Nothing is new, so the old one stays.
    assert_eq!(prover.sign(&|| false).unwrap(), old);
    assert!(append(&mut writer.unwrap(), 301, 1));
    let new = prover.sign(&|| false).unwrap();
    assert_eq!(new.origin, prover.vkey().unwrap().name);
    assert!(new.origin.starts_with("profiletrail/0123456789abcdef/"));
    agrees(&prover, &[old, new.clone()]);
    assert_eq!(open(&disk).2.sign(&|| false).unwrap(), new);
    assert_eq!(TILE, 256);
}

#[test]
fn a_tree_that_is_behind_is_signed_as_far_as_it_goes() {
    let disk = filled(100);
    let (_, writer, prover) = open(&disk);
    assert_eq!(prover.sign(&|| false).unwrap().size, 100);
    assert!(append(&mut writer.unwrap(), 101, 900));
    prover.follow(100, &|| false).unwrap();
    for size in [500, 800, 1_000, 1_000] {
        let signed = prover.follow_and_sign(300, &|| false).unwrap();
        assert_eq!((signed.size, signed.root), (size, root_of(size)));
    }
}

#[test]
fn a_prune_keeps_the_leaves_where_an_anchor_ends() {
    let disk = filled(300);
    let (log, writer, prover) = open(&disk);
    let (first, mut writer) = (prover.sign(&|| false).unwrap(), writer.unwrap());
    assert!(append(&mut writer, 301, 100));
    let second = prover.sign(&|| false).unwrap();
    let kept = prover
        .keep_anchor(1_793_361_600, second.clone(), None)
        .unwrap();
    assert_eq!((kept.size, kept.stamped), (400, None));
    assert!(
        (401..1_001)
            .step_by(50)
            .all(|first| append(&mut writer, first, 50))
    );
    // One of the same second has another name.
    let third = prover.sign(&|| false).unwrap();
    let later = prover
        .keep_anchor(1_793_361_600, third.clone(), None)
        .unwrap();
    assert_eq!(later.time, kept.time + 1);
    let (empty, graves) = prune(&log, &prover, 800).unwrap();
    // Nothing of the first and third tile is left, but all of the second, since the anchor ends
    // there.
    assert_eq!((empty, graves), (512, 288));
    drop((prover, log, writer));
    let disk = disk.process_killed();
    let (_, _, prover) = open(&disk);
    assert_eq!(prover.anchors().unwrap(), [kept, later]);
    agrees(&prover, &[first.clone(), second.clone(), third.clone()]);
    assert_eq!(results(&prover, None), []);
    // An event is proved by the oldest anchor that has it.
    let files = prover.prove(801).unwrap();
    assert_eq!(
        content(&files, "checkpoint").unwrap(),
        third.note.as_bytes()
    );
    // If the log does not begin with an anchor, the anchor is named, by the events that it
    // adds to an older one.
    let other = Signer::parse(&String::from_utf8(prover.read("key").unwrap()).unwrap()).unwrap();
    let forged = other.sign(900, [1; 32]);
    prover.keep_anchor(1_793_361_601, forged, None).unwrap();
    assert_eq!(results(&prover, None), [(401, 900, Comparison::Differs)]);
    // An anchor that cannot be read is named, and no obstacle.
    write(&disk, "anchor-20261030T120000Z.checkpoint", 0, b"x");
    drop(prover);
    let (_, _, prover) = open(&disk);
    let found = examine(&prover, None, &mut |_, _| ()).unwrap();
    let named = |name: &str| found.iter().any(|found| found.what.contains(name));
    assert!(
        named("anchor-20261030T120000Z.checkpoint: ") && found.len() == 2,
        "{found:?}"
    );
    assert_eq!(prover.anchors().unwrap().len(), 2);
}
