//! The made-up fortnight of `demo`, and what is answered of it.
//!
//! Proven: the story is the same for the same moment; each of its five questions
//! is answered, by the command that is printed, with what is true of it: as it was
//! counted by hand ([`crate::support::counted`]), and as the story knows it from what the shop
//! did.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::cli;
use crate::support::counted::{EMMA, FIGHT, INCIDENT, LOST, VANISHED};
use crate::support::fortnight::{NOW, ask, asked, stored_story, story};
use profiletrail::event::{ProfileKey, seconds_to_rfc3339};
use profiletrail::ops::demo::{SEED, Story, questions};
use serde_json::{Value, json};

/// The words of a question's commands.
fn commands<const COUNT: usize>(story: &Story, question: usize) -> [Vec<String>; COUNT] {
    questions(story)[question]
        .commands
        .clone()
        .try_into()
        .unwrap()
}

#[test]
fn the_story_is_what_it_is() {
    let story = story();
    assert_eq!(story, self::story());
    assert_ne!(story.calls, Story::generate(SEED + 1, NOW).calls);
    assert_eq!(story.calls.len(), 5353);
    let labels: BTreeSet<&str> = story.calls.iter().map(|call| call.label).collect();
    assert_eq!(
        labels.into_iter().collect::<Vec<_>>(),
        ["crm", "import", "mailing", "newsletter-form", "webshop"]
    );
    let received = story.calls.iter().map(|call| call.received);
    assert!(received.clone().is_sorted());
    assert!(received.clone().all(|at| at <= NOW * 1_000_000));
    assert!(received.min().unwrap() > (NOW - 14 * 86_400) * 1_000_000);
    // It holds at whatever time of day it ends.
    for end in [0, 1, 43_199, 86_399] {
        let other = Story::generate(SEED, NOW - NOW % 86_400 + end);
        assert_eq!(other.import.harmed.len(), 120, "{end}");
        assert_eq!(other.mind.turns.len(), 3, "{end}");
        assert_eq!(other.vanished.subprofiles.len(), 3, "{end}");
        assert!(other.lost.unexplained.len() >= 30, "{end}");
        assert!(
            other.import.harmed.iter().filter(|one| !one.still).count() == 15,
            "{end}"
        );
    }
    for asked in questions(&story) {
        assert!(!asked.question.is_empty() && !asked.commands.is_empty() && !asked.hint.is_empty());
    }
}

#[test]
fn whose_city_the_import_has_overwritten() {
    let (_dir, data, story) = stored_story();
    let (import, expected) = (&story.import, &INCIDENT);
    let [list, undo] = commands(&story, 0);
    let found = asked(&data, &list);
    let pairs = expected
        .pairs
        .map(|(old, events)| json!({"old": old, "new": expected.value, "events": events}));
    let id = format!("city-{}", expected.first_seq);
    assert_eq!(
        found,
        [json!({
            "id": id, "field": "city", "database": 1, "collection": null,
            "from": expected.from, "until": expected.until,
            "profiles": expected.profiles, "subprofiles": 0, "events": expected.profiles, "usual": 0,
            "pairs": pairs, "more_pairs": true,
            "labels": [{"label": "import", "events": expected.profiles}],
            "causes": [{"cause": "set", "events": expected.profiles}],
            "first_seq": expected.first_seq, "last_seq": expected.last_seq,
            "command": format!("profiletrail incidents show {id}"),
            "undo": format!("profiletrail incidents undo {id} --out {id}.csv"),
        })]
    );
    // What is printed is about it.
    assert_eq!(undo[..3], ["incidents", "undo", &id]);
    // The story says the same, and of each profile what was there before.
    assert_eq!(
        (
            seconds_to_rfc3339(import.began).as_str(),
            seconds_to_rfc3339(import.ended).as_str(),
            import.value,
            import.first_seq
        ),
        (
            expected.from,
            expected.until,
            expected.value,
            expected.first_seq
        )
    );
    let changes = ask(&data, &["incidents", "show", &id]);
    let listed: BTreeMap<u64, &Value> = changes
        .iter()
        .map(|line| (line["profile"].as_u64().unwrap(), &line["old"]))
        .collect();
    let harmed: Vec<Value> = import.harmed.iter().map(|one| json!(one.before)).collect();
    let harmed = import.harmed.iter().map(|one| one.profile).zip(&harmed);
    assert_eq!(listed, harmed.collect());
    assert_eq!(changes.len(), expected.profiles);
}

#[test]
fn which_systems_fight() {
    let (_dir, data, story) = stored_story();
    let (fight, expected) = (&story.fight, &FIGHT);
    let [loops, history] = commands(&story, 1);
    let found = asked(&data, &loops);
    let changes: u64 = expected.sides.iter().map(|(.., changes)| changes).sum();
    let writers = expected.sides.map(|(label, value, changes)| {
        json!({"label": label, "claimed": true, "changes": changes,
            "values": [{"value": value, "changes": changes}]})
    });
    assert_eq!(found.len(), 2, "a group and what is in it");
    assert_eq!(
        found[0]["labels"],
        json!(expected.sides.map(|(label, ..)| label))
    );
    let (profile, first, last) = (expected.profile, expected.first, expected.last);
    let (first_seq, last_seq) = (&found[1]["first_seq"], &found[1]["last_seq"]);
    assert_eq!(
        found[1],
        json!({
            "kind": "turns", "profile": profile, "subprofile": null, "field": "phone",
            "changes": changes, "first": first, "last": last, "every": expected.every, "going_on": false,
            "writers": writers, "first_seq": first_seq, "last_seq": last_seq,
            "command": format!(
                "profiletrail history {profile} --field phone --since {first} --until 2026-03-12T19:20:24Z"
            ),
        })
    );
    // Each change of the fight is listed, the last ones first.
    let blows = asked(&data, &history);
    assert_eq!((blows.len(), &blows[0]["time"]), (4, &json!(last)));
    let key = profile.to_string();
    let events = ask(
        &data,
        &["history", &key, "--field", "phone", "--since", first],
    );
    assert_eq!((events.len() as u64, fight.changes), (changes, changes));
    for (event, (label, value)) in events.iter().zip(fight.sides.iter().cycle()) {
        assert_eq!(
            (&event["label"], &event["changes"][0]["new"]),
            (&json!(label), &json!(value))
        );
    }
    let ended = seconds_to_rfc3339(fight.ended);
    assert_eq!(
        (fight.profile, fight.field, ended.as_str()),
        (profile, "phone", last)
    );
}

#[test]
fn which_hour_is_missing() {
    let (_dir, data, story) = stored_story();
    let (lost, expected) = (&story.lost, &LOST);
    let [gaps] = commands(&story, 2);
    let mut found = asked(&data, &gaps);
    assert_eq!(found.len(), 1, "{found:?}");
    // How many would be there by chance is an estimate.
    let found = found[0].as_object_mut().unwrap();
    assert!(found.remove("by_chance").unwrap().as_u64().unwrap() < 10);
    let count: usize = expected.fields.iter().map(|(_, profiles)| profiles).sum();
    let fields = expected
        .fields
        .map(|(field, count)| json!({"field": field, "changes": count}));
    let shown = expected
        .shown_by
        .map(|(label, events)| json!({"label": label, "events": events}));
    let set_by = expected
        .set_by
        .map(|(label, changes, calls)| json!({"label": label, "changes": changes, "calls": calls}));
    let ((since, until), quiet) = (expected.span, expected.quiet);
    assert_eq!(
        json!(found),
        json!({
            "kind": "lost", "since": since, "until": until, "within_one": true,
            "outer_since": "2026-03-05T09:18:27Z", "outer_until": "2026-03-13T09:01:48Z",
            "profiles": count, "subprofiles": 0, "events": count, "changes": count,
            "fields": fields, "more_fields": false, "first_seq": 2565, "last_seq": 3978,
            "labels": shown, "set_by": set_by,
            "quiet": {"since": quiet.0, "until": quiet.1},
            "command": "profiletrail changes --field city --field last_visit --field newsletter --field points \
                --since 2026-03-10T14:02:47Z --until 2026-03-13T09:01:49Z --cause unexplained",
        })
    );
    let (begin, end) = expected.hour;
    assert!(quiet.0 < begin && begin < end && end <= quiet.1);
    cli(&data, &["export", "--since", begin, "--until", end]).failed(1);
    // Which they are the story knows, each with the calls around it.
    let hour = [lost.begin, lost.end].map(seconds_to_rfc3339);
    assert_eq!(hour, [begin, end]);
    let rows: BTreeSet<_> = ask(&data, &["changes", "--cause", "unexplained"])
        .iter()
        .map(|line| {
            let text = |key: &str| line[key].as_str().unwrap().to_owned();
            let key = ProfileKey {
                profile: line["profile"].as_u64().unwrap(),
                subprofile: line["subprofile"].as_u64(),
            };
            (key, text("field"), text("since"), text("time"))
        })
        .collect();
    let known = lost.unexplained.iter().map(|one| {
        let times = (seconds_to_rfc3339(one.since), seconds_to_rfc3339(one.time));
        (one.key, one.field.to_owned(), times.0, times.1)
    });
    assert_eq!(rows, known.collect());
    assert!(
        rows.iter()
            .all(|(_, _, since, time)| since.as_str() < begin && time.as_str() >= end)
    );
}

#[test]
fn since_when_emma_agrees() {
    let (_dir, data, story) = stored_story();
    let [history, blame] = commands(&story, 3);
    let events = asked(&data, &history);
    let found: Vec<Value> = events
        .iter()
        .map(|event| {
            let change = &event["changes"][0];
            json!([
                event["seq"],
                event["time"],
                event["label"],
                change["new"],
                change["cause"]
            ])
        })
        .collect();
    let expected = EMMA;
    let line = |(seq, time, label, value), cause| json!([seq, time, label, value, cause]);
    // What she had said before the first is not known.
    let first = line(expected[0], "first_seen");
    let turns: Vec<Value> = expected[1..]
        .iter()
        .map(|turn| line(*turn, "set"))
        .collect();
    assert_eq!((&found[0], &found[1..]), (&first, &turns[..]));
    let known = story
        .mind
        .turns
        .iter()
        .map(|(time, label, value)| (seconds_to_rfc3339(*time), *label, value.clone()));
    let turns = expected[1..]
        .iter()
        .map(|(_, time, label, value)| ((*time).to_owned(), *label, (*value).to_owned()));
    assert!(known.eq(turns));
    // The last change of each field has it, too.
    let fields = asked(&data, &blame);
    let field = fields.iter().find(|line| line["field"] == "newsletter");
    let (seq, time, _, value) = expected[3];
    assert_eq!(
        field.unwrap(),
        &json!({"field": "newsletter", "value": value, "seq": seq, "time": time,
            "type": "update", "cause": "set", "old": "Nee"})
    );
}

#[test]
fn who_had_an_address_that_is_not_found() {
    let (_dir, data, story) = stored_story();
    let expected = &VANISHED;
    let [find, history] = commands(&story, 4);
    let (profile, mail) = (expected.profile, expected.mail);
    assert_eq!(
        asked(&data, &find),
        [json!({
            "profile": profile, "subprofile": null, "database": 1, "collection": null,
            "field": "mail", "value": mail,
            "since": expected.first.1, "since_seq": expected.first.0, "cause": "first_seen",
            "until": expected.deleted.1, "until_seq": expected.deleted.0,
        })]
    );
    // Nobody has it now.
    let now = cli(&data, &["find", &format!("mail={mail}")]).failed(1);
    assert!(now.contains("--ever"), "{now}");
    let events = asked(&data, &history);
    assert_eq!(
        (
            &events[0]["type"],
            &events[0]["seq"],
            &events[0]["label"],
            &events[0]["subprofile"]
        ),
        (
            &json!("delete"),
            &json!(expected.deleted.0),
            &json!("crm"),
            &Value::Null
        )
    );
    let vanished = &story.vanished;
    let time = seconds_to_rfc3339(vanished.time);
    assert_eq!((time.as_str(), vanished.label), (expected.deleted.1, "crm"));
    assert_eq!((vanished.profile, vanished.mail.as_str()), (profile, mail));
    let key = profile.to_string();
    assert_eq!(ask(&data, &["show", &key])[0]["state"], "deleted");
    let before = format!("@{}", vanished.time - 1);
    let before = ask(&data, &["show", &key, "--at", &before]).remove(0);
    assert_eq!(
        (&before["state"], &before["fields"]["mail"]),
        (&json!("present"), &json!(mail))
    );
    // No call reported the end of the orders; the answers report it all the same.
    let all = ask(&data, &["history", &key, "--subprofiles"]);
    assert_eq!(
        all.iter().filter(|event| event["type"] == "delete").count(),
        1
    );
    let ended = ask(&data, &["changes", "--cause", "cascade"]);
    let ended = ended
        .iter()
        .map(|line| line["subprofile"].as_u64().unwrap());
    let ended: Vec<u64> = ended.collect::<BTreeSet<_>>().into_iter().collect();
    assert_eq!(
        (&ended[..], &vanished.subprofiles[..]),
        (&expected.orders[..], &expected.orders[..])
    );
}
