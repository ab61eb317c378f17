//! On synthetic fields: quiet and busy ones, with and without a burst.

use super::*;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

/// The number of one-minute slices of a day.
const DAY: i64 = 1_440;

fn rule(days: i64) -> Rule {
    Rule {
        least: 20,
        around: DAY,
        known: (0, days * DAY),
        any_rate: false,
    }
}

fn cells(counts: impl Iterator<Item = (i64, u32)>) -> Vec<Cell> {
    counts
        .filter(|(_, count)| *count > 0)
        .map(|(slice, count)| Cell { slice, count })
        .collect()
}

/// Changes per minute that vary between half and one and a half times `rate`.
fn wavering(slice: i64, rate: u32) -> u32 {
    let mixed = (slice as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    rate / 2 + (mixed % u64::from(rate.max(1))) as u32
}

#[test]
fn a_bad_import_is_a_burst_and_the_changes_around_it_are_not_part_of_it() {
    let ordinary = |slice: i64| u32::from(slice % 7 == 0);
    let at = 3 * DAY + 14 * 60;
    let count = |slice: i64| {
        ordinary(slice)
            + if (at..at + 3).contains(&slice) {
                400
            } else {
                0
            }
    };
    let cells = cells((0..6 * DAY).map(|slice| (slice, count(slice))));
    let found = detect(&cells, rule(6));
    assert_eq!(
        found,
        [Burst {
            first: at,
            last: at + 2,
            usual: 1,
            count: 1_200
        }]
    );
}

#[test]
fn the_rate_of_a_busy_shop_is_none_by_day_or_night_nor_on_monday() {
    // Eight hours of a day are sixty times as busy as the others; nothing happens on Sunday.
    let open = |slice: i64| (9 * 60..17 * 60).contains(&(slice % DAY)) && slice / DAY % 7 != 6;
    let count = |slice: i64| {
        if open(slice) {
            wavering(slice, 60)
        } else {
            u32::from(slice % 5 == 0)
        }
    };
    let shop: Vec<_> = (0..21 * DAY).map(|slice| (slice, count(slice))).collect();
    let found = detect(&cells(shop.iter().copied()), rule(21));
    assert_eq!(found, []);
    // An import of ten times as many is a burst, also in the busy hours.
    let at = 8 * DAY + 11 * 60;
    let import = shop.iter().map(|(slice, count)| match slice - at {
        0..8 => (*slice, count + 600),
        _ => (*slice, *count),
    });
    let found = detect(&cells(import), rule(21));
    assert_eq!(
        (found.len(), found[0].first, found[0].last),
        (1, at, at + 7),
        "{found:?}"
    );
}

#[test]
fn in_a_young_store_an_import_is_a_burst_and_what_goes_on_for_hours_is_not() {
    let import = cells((100..110).map(|slice| (slice, 50)));
    let young = Rule {
        known: (100, 109),
        ..rule(0)
    };
    assert_eq!(detect(&import, young).len(), 1);
    let busy = cells((100..400).map(|slice| (slice, wavering(slice, 50))));
    let young = Rule {
        known: (100, 399),
        ..rule(0)
    };
    assert_eq!(detect(&busy, young), []);
    // If the usual rate is ignored, it is a burst.
    assert_eq!(
        detect(
            &busy,
            Rule {
                any_rate: true,
                ..young
            }
        )
        .len(),
        1
    );
}

#[test]
fn two_imports_on_a_day_are_two_and_neither_hides_the_other() {
    let counts = [(500, 300), (501, 200), (800, 40), (801, 10)];
    let found = detect(&cells(counts.into_iter()), rule(2));
    let spans: Vec<_> = found
        .iter()
        .map(|burst| (burst.first, burst.last))
        .collect();
    assert_eq!(spans, [(500, 501), (800, 801)]);
}

#[test]
fn slow_ones_and_small_ones_are_none() {
    assert_eq!(
        detect(&cells((0..500).map(|slice| (slice * 2, 1))), rule(1)),
        []
    );
    assert_eq!(detect(&cells([(10, 19)].into_iter()), rule(1)), []);
    assert_eq!(detect(&cells([(10, 20)].into_iter()), rule(1)).len(), 1);
    assert_eq!(detect(&[], rule(1)), []);
}

proptest! {
    #[test]
    fn bursts_are_in_order_apart_and_hold_enough(
        counts in btree_map(-3_000_i64..3_000, 1_u32..60, 0..200), least in 1_u64..50
    ) {
        let cells = cells(counts.into_iter());
        let rule = Rule { least, around: 300, known: (-3_000, 3_000), any_rate: false };
        let found = detect(&cells, rule);
        for burst in &found {
            prop_assert!(burst.first <= burst.last);
            let count = count(&cells, burst.first - SLICES, burst.last + SLICES);
            prop_assert!(count >= least, "{burst:?}");
        }
        for pair in found.windows(2) {
            prop_assert!(pair[0].last < pair[1].first);
        }
    }

    #[test]
    fn a_busy_time_is_where_every_stretch_counts_enough(
        counts in btree_map(0_i64..60, 1_u32..9, 0..30), least in 1_u64..20
    ) {
        let cells = cells(counts.into_iter());
        let mut expected: Vec<(i64, i64)> = Vec::new();
        for slice in 0..70 {
            if count(&cells, slice - SLICES + 1, slice) >= least {
                match expected.last_mut() {
                    Some(last) if last.1 + 1 == slice => last.1 = slice,
                    _ => expected.push((slice, slice)),
                }
            }
        }
        prop_assert_eq!(busy_times(&cells, least), expected);
    }

    #[test]
    fn cells_in_parts_give_the_same_bursts(
        bumps in vec((0_i64..4_000, 1_u32..80), 0..150), most in 1_usize..40
    ) {
        let mut counts = std::collections::BTreeMap::new();
        for (slice, count) in bumps {
            *counts.entry(slice).or_insert(0) += count;
        }
        let cells = cells(counts.into_iter());
        let rule = Rule { least: 20, around: 200, known: (0, 4_000), any_rate: false };
        let mut detector = Detector { most, ..Detector::new(rule) };
        for cell in &cells {
            detector.push(*cell);
        }
        prop_assert_eq!(detector.finish(), detect(&cells, rule));
    }
}
