//! The tree against a literal implementation of RFC 6962.

use super::*;
use crate::dice::Dice;
use crate::log::hash_leaf;

/// `MTH` of section 2.1.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [one] => *one,
        _ => {
            let (left, right) = halves(leaves);
            node(mth(left), mth(right))
        }
    }
}

/// Divided at the largest power of two smaller than the number.
fn halves(leaves: &[Hash]) -> (&[Hash], &[Hash]) {
    let mut k = 1;
    while k * 2 < leaves.len() {
        k *= 2;
    }
    leaves.split_at(k)
}

/// `PATH` of section 2.1.1.
fn path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = halves(leaves);
    if m < left.len() {
        [path(m, left), vec![mth(right)]].concat()
    } else {
        [path(m - left.len(), right), vec![mth(left)]].concat()
    }
}

/// `SUBPROOF` of section 2.1.2.
fn subproof(m: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if whole { Vec::new() } else { vec![mth(leaves)] };
    }
    let (left, right) = halves(leaves);
    if m <= left.len() {
        [subproof(m, left, whole), vec![mth(right)]].concat()
    } else {
        [subproof(m - left.len(), right, false), vec![mth(left)]].concat()
    }
}

/// Subtrees by levels, each made of the one below.
struct Levels(Vec<Vec<Hash>>);

impl Levels {
    fn of(leaves: &[Hash]) -> Self {
        let mut levels = vec![leaves.to_vec()];
        while levels.last().unwrap().len() > 1 {
            let pairs = levels.last().unwrap().chunks_exact(2);
            let above = pairs.map(|pair| node(pair[0], pair[1])).collect();
            levels.push(above);
        }
        Self(levels)
    }
}

impl Subtrees for Levels {
    type Error = ();
    fn subtree(&mut self, level: u32, index: u64) -> Result<Hash, ()> {
        Ok(self.0[level as usize][index as usize])
    }
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|at| hash_leaf(&at.to_be_bytes())).collect()
}

fn flipped(proof: &[Hash], dice: &mut Dice) -> Vec<Hash> {
    let mut proof = proof.to_vec();
    if !proof.is_empty() {
        let place = dice.below(proof.len() as u64) as usize;
        proof[place][dice.below(32) as usize] ^= 1 << dice.below(8);
    }
    proof
}

#[test]
fn all_proofs_up_to_600_leaves_are_those_of_the_definition() {
    let mut dice = Dice(1);
    for size in 1..=600_u64 {
        let leaves = leaves(size);
        let mut source = Levels::of(&leaves);
        let whole = mth(&leaves);
        assert_eq!(root(&mut source, size), Ok(whole));
        assert_eq!(Frontier::of(&leaves).root(), whole);
        let roots: Vec<Hash> = (0..=size)
            .map(|old| root(&mut source, old).unwrap())
            .collect();
        for at in 0..size {
            let leaf = leaves[at as usize];
            let proof = inclusion(&mut source, at, size).unwrap();
            assert!(is_included(leaf, at, size, &proof, whole), "{at} {size}");
            let old = at + 1;
            let both = consistency(&mut source, old, size).unwrap();
            let (begin, end) = ((old, roots[old as usize]), (size, whole));
            assert!(is_consistent(begin, end, &both), "{old} {size}");
            // The definition is slow; every size has some of each.
            if (at * 7 + size).is_multiple_of(101) || size < 40 {
                assert_eq!(proof, path(at as usize, &leaves), "{at} {size}");
                assert_eq!(both, subproof(old as usize, &leaves, true), "{old} {size}");
            }
            if !(at + size).is_multiple_of(13) && size > 40 {
                continue;
            }
            if !proof.is_empty() {
                let wrong = flipped(&proof, &mut dice);
                assert!(!is_included(leaf, at, size, &wrong, whole));
                assert!(!is_included(leaf, at, size, &proof[1..], whole));
                let other = (at + 1) % size;
                assert!(!is_included(leaf, other, size, &proof, whole));
            }
            let longer = [proof.as_slice(), &[leaf]].concat();
            assert!(!is_included(leaf, at, size, &longer, whole));
            if !both.is_empty() {
                let wrong = flipped(&both, &mut dice);
                assert!(!is_consistent(begin, end, &wrong));
                assert!(!is_consistent(begin, end, &both[1..]));
                assert!(!is_consistent((old, leaf), end, &both) || old == 1);
            }
        }
    }
}

#[test]
fn random_proofs_in_large_trees_are_those_of_the_definition() {
    let all = leaves(1_000_000);
    let mut source = Levels::of(&all);
    let mut dice = Dice(2);
    for round in 0..12 {
        let size = 1 + dice.below(1_000_000);
        let leaves = &all[..size as usize];
        let (at, old) = (dice.below(size), 1 + dice.below(size));
        let proof = inclusion(&mut source, at, size).unwrap();
        let both = consistency(&mut source, old, size).unwrap();
        let whole = root(&mut source, size).unwrap();
        if round < 1 {
            assert_eq!(whole, mth(leaves));
            assert_eq!(proof, path(at as usize, leaves));
            assert_eq!(both, subproof(old as usize, leaves, true));
        }
        assert!(is_included(all[at as usize], at, size, &proof, whole));
        let before = (old, root(&mut source, old).unwrap());
        assert!(is_consistent(before, (size, whole), &both));
    }
}

/// The inputs and roots that the implementations of Certificate Transparency test with.
#[test]
fn roots_and_proofs_are_those_of_other_implementations() {
    let inputs = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let bytes = |text: &str| -> Vec<u8> {
        let digits = text.as_bytes().chunks(2);
        digits
            .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
            .collect()
    };
    let hash = |text: &str| -> Hash { bytes(text).try_into().unwrap() };
    let leaves: Vec<Hash> = inputs.iter().map(|text| hash_leaf(&bytes(text))).collect();
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut source = Levels::of(&leaves);
    for (size, expected) in (1..).zip(roots) {
        assert_eq!(root(&mut source, size), Ok(hash(expected)));
    }
    assert_eq!(
        inclusion(&mut source, 5, 8).unwrap(),
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
        .map(hash)
    );
    assert_eq!(
        consistency(&mut source, 6, 8).unwrap(),
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
        .map(hash)
    );
}
