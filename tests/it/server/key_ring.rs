//! What the key ring takes for a key, and for how long.

use crate::support::dns::Mode;
use crate::support::ring::{DAY, OLD, ONE, World, is_unreachable, name, patient, record};
use profiletrail::auth::keys::KeyError;

#[test]
fn a_key_is_found_once_and_kept_for_its_ttl() {
    let world = World::new(patient);
    assert!(world.ring.get(&name(ONE)).is_none());
    let key = world.look_up(ONE).unwrap();
    assert_eq!((key.bits, key.name.as_str()), (2048, ONE));
    assert_eq!(key.record, record(ONE));
    assert_eq!(world.find(OLD).unwrap().bits, 1024);

    let asked = world.dns.questions(ONE);
    world.clock.pass(299);
    assert!(matches!(world.ring.get(&name(ONE)), Some(Ok(_))));
    world.look_up(ONE).unwrap();
    assert_eq!(world.dns.questions(ONE), asked);

    world.clock.pass(1);
    assert!(world.ring.get(&name(ONE)).is_none());
    world.look_up(ONE).unwrap();
    assert!(world.dns.questions(ONE) > asked);
    world.ring.stop();
}

#[test]
fn a_ttl_is_kept_within_its_bounds() {
    let world = World::new(patient);
    world.dns.set_txt(ONE, 0, &[&record(ONE)]);
    world.dns.set_txt(OLD, u32::MAX >> 1, &[&record(OLD)]);
    world.look_up(ONE).unwrap();
    world.look_up(OLD).unwrap();
    world.clock.pass(59);
    assert!(matches!(world.ring.get(&name(ONE)), Some(Ok(_))));
    world.clock.pass(1);
    assert!(world.ring.get(&name(ONE)).is_none());
    world.clock.pass(DAY - 61);
    assert!(matches!(world.ring.get(&name(OLD)), Some(Ok(_))));
    world.clock.pass(1);
    assert!(world.ring.get(&name(OLD)).is_none());
}

#[test]
fn a_rotated_key_takes_the_place_of_the_old_one() {
    let world = World::new(patient);
    let key = world.look_up(ONE).unwrap();
    world.ring.mark_verified(&key);
    world.dns.set_txt(ONE, 300, &[&record(OLD)]);
    assert_eq!(world.find_record(ONE), record(ONE));
    world.clock.pass(300);
    assert_eq!(world.find_record(ONE), record(OLD));
    // Nor does the old one come back in an outage.
    world.clock.pass(300);
    world.dns.set_mode(Mode::ServFail);
    assert!(is_unreachable(&world.find(ONE)));
}

#[test]
fn a_key_that_fails_to_verify_is_fetched_again_but_not_often() {
    let world = World::new(patient);
    let key = world.look_up(ONE).unwrap();
    world.dns.set_txt(ONE, 300, &[&record(OLD)]);
    world.clock.pass(59);
    assert!(!world.ring.recheck(&key));
    assert_eq!(world.find_record(ONE), record(ONE));
    world.clock.pass(1);
    assert!(world.ring.recheck(&key));
    assert_eq!(world.find_record(ONE), record(OLD));
    // Who still holds the old one is sent to the new one; the new one is not doubted at once.
    assert!(world.ring.recheck(&key));
    let fresh = world.find(ONE).unwrap();
    assert!(!world.ring.recheck(&fresh));

    // A doubt while DNS is out of reach takes nothing away before the TTL is over.
    world.clock.pass(60);
    world.dns.set_mode(Mode::ServFail);
    assert!(world.ring.recheck(&fresh));
    assert_eq!(world.find_record(ONE), record(OLD));
    world.clock.pass(240);
    assert!(is_unreachable(&world.find(ONE)));
}

#[test]
fn a_name_without_a_key_is_refused_for_a_while() {
    let world = World::new(patient);
    let absent = "two._domainkey.copernica.com";
    assert_eq!(world.look_up(absent).unwrap_err(), KeyError::Absent);
    let asked = world.dns.questions(absent);
    assert!(matches!(
        world.ring.get(&name(absent)),
        Some(Err(KeyError::Absent))
    ));
    assert_eq!(world.look_up(absent).unwrap_err(), KeyError::Absent);
    assert_eq!(world.dns.questions(absent), asked);
    world.dns.set_txt(absent, 300, &[&record(ONE)]);
    world.clock.pass(60);
    assert_eq!(world.find_record(absent), record(ONE));

    // A name that exists, but has no TXT record.
    world.dns.set_strings("mail.copernica.com", 300, Vec::new());
    let found = world.find("mail.copernica.com");
    assert_eq!(found.unwrap_err(), KeyError::Absent);
}

#[test]
fn a_key_that_is_gone_or_revoked_stops_though_it_was_mark_verified() {
    let world = World::new(patient);
    for name in [ONE, OLD] {
        world.ring.mark_verified(&world.look_up(name).unwrap());
    }
    world.dns.remove(ONE);
    world.dns.set_txt(OLD, 300, &["v=DKIM1; k=rsa; p="]);
    world.clock.pass(300);
    assert_eq!(world.find(ONE).unwrap_err(), KeyError::Absent);
    assert!(matches!(world.find(OLD), Err(KeyError::Unusable(_))));
    world.clock.pass(300);
    world.dns.set_mode(Mode::ServFail);
    assert!(is_unreachable(&world.find(ONE)));
    assert!(is_unreachable(&world.find(OLD)));
}

#[test]
fn a_forged_answer_before_the_right_one_is_passed_over() {
    let world = World::new(patient);
    world.dns.set_mode(Mode::ForgedFirst);
    assert_eq!(world.look_up(ONE).unwrap().record, record(ONE));
}

#[test]
fn a_cut_answer_is_asked_for_over_tcp() {
    let world = World::new(patient);
    world.dns.set_mode(Mode::Truncate);
    assert_eq!(world.look_up(ONE).unwrap().record, record(ONE));
    assert!(world.dns.questions_over_tcp(ONE) > 0);
}

#[test]
fn strings_are_joined_and_of_several_records_the_key_is_taken() {
    let world = World::new(patient);
    let published = record(ONE);
    let bytes = published.as_bytes();
    let split = bytes.chunks(7).map(<[u8]>::to_vec).collect();
    world.dns.set_strings(ONE, 300, vec![split]);
    assert_eq!(world.look_up(ONE).unwrap().record, published);

    let other = record(OLD);
    let texts = [
        "v=spf1 -all",
        "google-site-verification=x",
        "v=DKIM1; p=",
        &other,
    ];
    world.dns.set_txt(OLD, 300, &texts);
    assert_eq!(world.look_up(OLD).unwrap().record, other);

    // Bytes that are no text stand in nobody's way.
    let binary = vec![vec![0xff, 0xfe]];
    let key = [published.clone().into_bytes()];
    let three = "three._domainkey.copernica.com";
    let split: Vec<Vec<u8>> = key[0].chunks(200).map(<[u8]>::to_vec).collect();
    world
        .dns
        .set_strings(three, 300, vec![binary.clone(), split]);
    assert_eq!(world.look_up(three).unwrap().record, published);
    let four = "four._domainkey.copernica.com";
    world.dns.set_strings(four, 300, vec![binary]);
    assert!(matches!(world.look_up(four), Err(KeyError::Unusable(_))));

    // Of two keys the longer one, in whatever order they come.
    for texts in [[published.as_str(), &other], [&other, published.as_str()]] {
        world.clock.pass(DAY);
        world.dns.set_txt(ONE, 300, &texts);
        assert_eq!(world.find_record(ONE), published);
    }
}

#[test]
fn an_alias_is_followed() {
    let world = World::new(patient);
    world.dns.set_alias("alias.copernica.com", ONE);
    let key = world.look_up("alias.copernica.com").unwrap();
    assert_eq!(key.record, record(ONE));
    assert_eq!(key.name.as_str(), "alias.copernica.com");
}
