//! The key ring while DNS fails, and while strangers ask it for what they invented.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use crate::support::dns::{DnsServer, Mode};
use crate::support::ring::{
    DAY, Found, Kind, NEVER, OLD, ONE, TestClock, World, impatient, is_unreachable, name, patient,
    record,
};
use profiletrail::auth::keys::{Busy, KeyConfig, KeyError, KeyRing};

/// Looks up until an answer comes in time: on a busy machine the short time-outs may be reached.
fn found_at_last(world: &World) -> Found {
    for _ in 0..50 {
        let found = world.find(ONE);
        if found.is_ok() {
            return found;
        }
        world.clock.pass(5);
    }
    world.find(ONE)
}

#[test]
fn dns_failures_are_distinguished_from_answers() {
    for mode in [
        Mode::ServFail,
        Mode::Refuse,
        Mode::Silent,
        Mode::WrongId,
        Mode::WrongQuestion,
        Mode::Garbage,
    ] {
        let world = World::new(impatient);
        world.dns.set_mode(mode);
        let found = world.look_up(ONE);
        assert!(is_unreachable(&found), "{mode:?}: {found:?}");
        // It is not asked again at once, and found when DNS is back.
        let known = world.ring.get(&name(ONE));
        assert!(matches!(known, Some(Err(KeyError::Unreachable(_)))));
        world.dns.set_mode(Mode::Answer);
        world.clock.pass(5);
        assert_eq!(world.ring.get(&name(ONE)).kind(), "unknown");
        let found = found_at_last(&world);
        assert_eq!(found.unwrap().record, record(ONE), "{mode:?}");
    }
}

#[test]
fn a_key_verified_serves_through_an_outage_until_it_would_be_rotated() {
    let world = World::new(patient);
    world.ring.mark_verified(&world.look_up(ONE).unwrap());
    world.look_up(OLD).unwrap();
    world.dns.set_mode(Mode::ServFail);
    world.clock.pass(300);
    assert_eq!(world.find_record(ONE), record(ONE));
    // Calls do not each wait for DNS meanwhile.
    let asked = world.dns.questions(ONE);
    assert_eq!(world.ring.get(&name(ONE)).kind(), "key");
    world.find(ONE).unwrap();
    assert_eq!(world.dns.questions(ONE), asked);
    // Nobody had signed with this one.
    assert!(is_unreachable(&world.find(OLD)));

    world.clock.pass(35 * DAY - 301);
    assert_eq!(world.find_record(ONE), record(ONE));
    world.clock.pass(60);
    assert!(is_unreachable(&world.find(ONE)));
    world.clock.pass(60);
    world.dns.set_mode(Mode::Answer);
    assert_eq!(world.find_record(ONE), record(ONE));
}

#[test]
fn a_key_verified_outlasts_a_restart_in_an_outage() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let remembering = |dns: &DnsServer, clock: &Arc<TestClock>| KeyConfig {
        key_store: Some(file.clone()),
        ..patient(dns, clock)
    };
    let mut world = World::new(remembering);
    world.ring.mark_verified(&world.look_up(ONE).unwrap());
    world.look_up(OLD).unwrap();
    world.ring.stop();

    world.dns.set_mode(Mode::ServFail);
    world.clock.pass(34 * DAY);
    world.ring = KeyRing::start(remembering(&world.dns, &world.clock)).unwrap();
    // What is remembered is not used before DNS was asked.
    assert_eq!(world.ring.get(&name(ONE)).kind(), "unknown");
    assert_eq!(world.look_up(ONE).unwrap().record, record(ONE));
    assert!(is_unreachable(&world.look_up(OLD)));
    world.ring.stop();

    // A domain that the owner no longer trusts, and a file that is broken, give nothing.
    let elsewhere = KeyConfig {
        domain: "example.net".parse().unwrap(),
        ..remembering(&world.dns, &world.clock)
    };
    world.ring = KeyRing::start(elsewhere).unwrap();
    assert!(is_unreachable(&world.look_up(ONE)));
    world.ring.stop();
    let whole = std::fs::read(&file).unwrap();
    for broken in [
        &whole[..whole.len() - 10],
        b"",
        b"{}",
        b"{\"remembered\":2}\n",
        b"\xff\xfe",
        &[b'\n'; 1 << 21],
    ] {
        std::fs::write(&file, broken).unwrap();
        world.ring = KeyRing::start(remembering(&world.dns, &world.clock)).unwrap();
        assert!(is_unreachable(&world.look_up(ONE)));
        world.ring.stop();
    }
    std::fs::write(&file, &whole).unwrap();

    // DNS is back and says that the key is gone: then it is forgotten for good.
    world.dns.set_mode(Mode::Answer);
    world.dns.remove(ONE);
    world.ring = KeyRing::start(remembering(&world.dns, &world.clock)).unwrap();
    assert_eq!(world.look_up(ONE).unwrap_err(), KeyError::Absent);
    world.ring.stop();
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "{\"remembered\":1}\n"
    );
}

#[test]
fn invented_names_do_not_keep_a_verified_key_from_being_fetched() {
    let world = World::new(|dns, clock| KeyConfig {
        max_names: 64,
        max_look_ups: 8,
        ..patient(dns, clock)
    });
    world.ring.mark_verified(&world.look_up(ONE).unwrap());
    world.dns.set_mode(Mode::Silent);
    world.dns.set_mode_of(ONE, Mode::Answer);
    let invented = |at| world.asked(&format!("a{at}.copernica.com")).unwrap();
    let waiting: Vec<_> = (0..8).map(invented).collect();
    assert_eq!(world.asked(OLD).unwrap_err(), Busy::LookUps);
    // A verified key is fetched all the same.
    world.clock.pass(300);
    assert_eq!(world.find_record(ONE), record(ONE));
    for receive in &waiting {
        assert!(receive.try_recv().is_err());
    }
    // Stopping answers everybody.
    world.ring.stop();
    for receive in waiting {
        assert!(is_unreachable(&receive.recv_timeout(NEVER).unwrap()));
    }
}

#[test]
fn a_flood_of_invented_names_pushes_out_no_key_mark_verified() {
    let world = World::new(|dns, clock| KeyConfig {
        max_names: 32,
        ..patient(dns, clock)
    });
    world.ring.mark_verified(&world.look_up(ONE).unwrap());
    let asked = world.dns.questions(ONE);
    for at in 0..500 {
        let found = world.find(&format!("r{at}.copernica.com"));
        assert_eq!(found.unwrap_err(), KeyError::Absent);
        if at == 0 {
            // Of names that came at one moment any may go first.
            world.clock.pass(1);
        }
    }
    assert!(world.dns.names_asked() > 500);
    assert_eq!(world.ring.get(&name(ONE)).kind(), "key");
    assert_eq!(world.dns.questions(ONE), asked);
    // The bound holds: the first of them is forgotten, the last is known.
    assert_eq!(world.ring.get(&name("r0.copernica.com")).kind(), "unknown");
    assert_eq!(
        world.ring.get(&name("r499.copernica.com")).kind(),
        "refused"
    );
}

#[test]
fn calls_for_one_name_wait_for_one_look_up_and_not_too_many_of_them() {
    let world = World::new(|dns, clock| KeyConfig {
        max_waiting: 10,
        ..patient(dns, clock)
    });
    world.dns.set_mode(Mode::Silent);
    let asked = |_| world.asked(ONE).unwrap();
    let waiting: Vec<_> = (0..10).map(asked).collect();
    let more = world.asked(ONE);
    assert_eq!(more.unwrap_err(), Busy::Waiting);
    world.dns.set_mode(Mode::Answer);
    // The resolver retries on its own, and every waiting caller gets the answer.
    for receive in waiting {
        assert!(receive.recv_timeout(NEVER).unwrap().is_ok());
    }
}

#[test]
fn what_follows_a_look_up_may_panic_and_may_ask_again() {
    let world = World::new(patient);
    let then = Box::new(|_| panic!("on purpose"));
    world.ring.look_up(name(ONE), then).unwrap();
    let (sender, receive) = channel();
    let ring = world.ring.clone();
    let sender = Mutex::new(sender);
    let then = Box::new(move |_| {
        let sender = sender.into_inner().unwrap();
        let then = Box::new(move |result: Found| sender.send(result.unwrap().bits).unwrap());
        ring.look_up(name(OLD), then).unwrap();
    });
    world.ring.look_up(name(ONE), then).unwrap();
    assert_eq!(receive.recv_timeout(NEVER).unwrap(), 1024);
}

#[test]
fn a_stopped_ring_looks_nothing_up() {
    let world = World::new(patient);
    world.look_up(ONE).unwrap();
    world.ring.clone().stop();
    assert_eq!(world.ring.get(&name(ONE)).kind(), "key");
    assert_eq!(world.asked(OLD).unwrap_err(), Busy::Stopped);
    world.ring.clone().stop();
}
