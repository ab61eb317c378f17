//! On synthetic streams: (sub)profiles that change now and then, and calls that
//! are lost.

use super::*;
use proptest::prelude::*;

const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;
/// Two o'clock of the sixth day.
const LOST: i64 = 5 * DAY + 14 * HOUR;

/// Pseudorandom numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn window(since: i64, until: i64, subjects: Vec<u32>) -> Window {
    Window {
        since,
        until,
        subjects,
        key: ProfileKey::profile(1),
        seq: 1,
        label: 0,
    }
}

/// The windows that result if calls for which `lost` holds do not arrive. Each call
/// sets one of `fields` fields.
fn stream(
    dice: &mut Dice,
    profiles: u64,
    calls: u64,
    fields: u64,
    mut lost: impl FnMut(&mut Dice, i64, u32) -> bool,
) -> (Vec<Window>, usize) {
    let mut windows = Vec::new();
    let mut harmed = 0;
    for _ in 0..profiles {
        let mut times: Vec<i64> = (0..calls)
            .map(|_| dice.below(10 * DAY as u64) as i64)
            .collect();
        times.sort_unstable();
        times.dedup();
        let mut since = None;
        let mut missed: Vec<u32> = Vec::new();
        let mut hit = false;
        for time in times {
            let field = dice.below(fields) as u32;
            if lost(dice, time, field) {
                hit |= (LOST..LOST + HOUR).contains(&time);
                if !missed.contains(&field) {
                    missed.push(field);
                }
                continue;
            }
            // Changes that this call sets itself are explained.
            missed.retain(|missed| *missed != field);
            if let (Some(since), false) = (since, missed.is_empty()) {
                harmed += usize::from(hit);
                windows.push(window(since, time, std::mem::take(&mut missed)));
            }
            missed.clear();
            hit = false;
            since = Some(time);
        }
    }
    (windows, harmed)
}

fn bounds() -> Bounds {
    Bounds {
        least: 5,
        within: HOUR,
        time_range: (0, 10 * DAY),
    }
}

fn in_hour(time: i64) -> bool {
    (LOST..LOST + HOUR).contains(&time)
}

#[test]
fn a_lost_hour_is_one_finding_and_strays_stay_apart() {
    for seed in 0..20 {
        let mut dice = Dice(seed);
        let (windows, harmed) = stream(&mut dice, 2_000, 20, 5, |dice, time, _| {
            in_hour(time) || dice.below(5_000) == 0
        });
        let (found, rest) = find(&windows, bounds());
        assert_eq!(found.len(), 1, "{seed}: {found:?}");
        let finding = &found[0];
        assert!(harmed > 50 && finding.windows.len() >= harmed, "{seed}");
        assert!(
            finding.windows.len() <= harmed + 12,
            "{seed}: {harmed} {finding:?}"
        );
        // The span is the hour, except for the time up to the next call.
        assert!(finding.within_one, "{seed}");
        assert!(
            (LOST - HOUR..=LOST).contains(&finding.since),
            "{seed}: {finding:?}"
        );
        assert!(
            (LOST + HOUR..LOST + 2 * HOUR).contains(&finding.until),
            "{seed}: {finding:?}"
        );
        assert_eq!(finding.windows.len() + rest.len(), windows.len());
    }
}

#[test]
fn calls_lost_here_and_there_are_no_finding_however_many() {
    for seed in 0..20 {
        let mut dice = Dice(seed);
        let (windows, _) = stream(&mut dice, 3_000, 30, 5, |dice, _, _| dice.below(50) == 0);
        assert!(windows.len() > 1_000);
        let (found, rest) = find(&windows, bounds());
        assert_eq!(
            (found.len(), rest.len()),
            (0, windows.len()),
            "{seed}: {found:?}"
        );
    }
}

#[test]
fn a_lost_label_stands_out_of_what_other_fields_lost() {
    for seed in 0..10 {
        let mut dice = Dice(seed);
        // Field 7 is set by its own label, whose calls are lost for a day.
        let (windows, _) = stream(&mut dice, 2_000, 20, 20, |dice, time, field| {
            (field == 7 && (5 * DAY..6 * DAY).contains(&time)) || dice.below(60) == 0
        });
        let (found, _) = find(
            &windows,
            Bounds {
                within: DAY,
                ..bounds()
            },
        );
        let of_label: Vec<_> = found
            .iter()
            .filter(|finding| finding.since < 6 * DAY && 5 * DAY < finding.until)
            .collect();
        assert_eq!(of_label.len(), 1, "{seed}: {found:?}");
        let own = of_label[0]
            .windows
            .iter()
            .filter(|place| place.subjects.contains(&7));
        assert!(own.count() > 50, "{seed}");
    }
}

#[test]
fn a_field_that_calls_never_claim_is_distinguished_from_a_lost_hour() {
    let mut dice = Dice(1);
    let (mut windows, _) = stream(&mut dice, 500, 10, 3, |_, time, _| in_hour(time));
    let lost = windows.len();
    // Field 9 changes at every call of some profiles.
    for profile in 0..50 {
        for step in 0..8 {
            let since = profile * 97 + step * DAY;
            windows.push(window(since, since + DAY, vec![9]));
        }
    }
    let claims = |subject| match subject {
        9 => (2, 400),
        _ => (0, lost as u64),
    };
    assert_eq!(silent_fields(&windows, claims, 5), [9]);
    let claimed = |_| (100, 400);
    assert!(silent_fields(&windows, claimed, 5).is_empty());
}

#[test]
fn two_lost_hours_are_two_findings_and_adjacent_ones_are_one() {
    let mut dice = Dice(3);
    let (windows, _) = stream(&mut dice, 2_000, 40, 5, |_, time, _| {
        in_hour(time) || in_hour(time + 3 * DAY)
    });
    let (found, _) = find(&windows, bounds());
    assert_eq!(found.len(), 2, "{found:?}");
    let spread: Vec<Window> = [(0, 10), (0, 11), (1, 10), (12, 30), (13, 40), (14, 30)]
        .map(|(since, until)| window(since, until, vec![0]))
        .to_vec();
    let near = Bounds {
        least: 3,
        within: 5,
        time_range: (0, 4_000),
    };
    let (found, _) = find(&spread, near);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].since, found[0].until, found[0].within_one),
        (10, 14, false)
    );
    let (found, _) = find(&spread, Bounds { within: 1, ..near });
    assert_eq!(found.len(), 2);
}

proptest! {
    #[test]
    fn a_finding_is_explained_by_its_span(
        windows in proptest::collection::vec((0_i64..500, 1_i64..100, 0_u32..4), 0..120),
        least in 1_usize..6,
        within in 0_i64..50,
    ) {
        let windows: Vec<Window> = windows
            .into_iter()
            .map(|(since, len, subject)| window(since, since + len, vec![subject]))
            .collect();
        let (found, rest) = find(&windows, Bounds { least, within, time_range: (0, 600) });
        let mut all = rest.clone();
        for finding in &found {
            prop_assert!(finding.windows.len() >= least);
            for window in &finding.windows {
                if finding.within_one {
                    prop_assert!(window.since <= finding.since && finding.until <= window.until);
                } else {
                    // It contains the first moment, the last, or one between.
                    prop_assert!(window.since <= finding.until && finding.since <= window.until);
                }
            }
            all.extend(&finding.windows);
        }
        let mut all: Vec<_> = all.into_iter().map(std::ptr::from_ref).collect();
        all.sort_unstable();
        let expected: Vec<_> = windows.iter().map(std::ptr::from_ref).collect();
        prop_assert_eq!(all, expected, "each window is in one finding");
    }

    #[test]
    fn the_moment_is_one_that_nearly_the_most_windows_hold(
        windows in proptest::collection::vec((0_i64..60, 1_i64..20), 1..40)
    ) {
        let windows: Vec<Window> = windows
            .into_iter()
            .map(|(since, len)| window(since, since + len, vec![]))
            .collect();
        let holding = |moment: i64| windows.iter().filter(|w| w.since < moment && moment <= w.until).count();
        let (moment, count) = most_held(windows.iter()).unwrap();
        prop_assert_eq!(holding(moment), count);
        let most = (0..90).map(holding).max().unwrap();
        prop_assert!(count >= most - most / 20);
    }
}
