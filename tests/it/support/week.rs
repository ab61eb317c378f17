//! A made-up week in which much goes wrong, as what `import` reads: an import that
//! overwrites cities, calls that never came, two systems that fight over a
//! field, and somebody who is gone. Hostile names and values are among it.

use serde_json::{Map, Value, json};

/// 2025-10-06 08:00:00 UTC.
const BEGIN: i64 = 1_759_737_600;

/// A minute, an hour and a day, in seconds.
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// How many profiles there are.
const PROFILES: u64 = 30;

/// Of whom the import overwrites the city.
const HARMED: std::ops::RangeInclusive<u64> = 1..=24;

/// A field's hostile name.
const HOSTILE: &str = "\u{1b}[31m\u{202e}\u{200b} it's";

struct Week {
    lines: String,
    seq: u64,
    /// What each profile has.
    known: Vec<Map<String, Value>>,
}

fn time(second: i64) -> String {
    let time = chrono::DateTime::from_timestamp(second, 0).unwrap();
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Week {
    fn put(
        &mut self,
        event_type: &str,
        label: Option<&str>,
        second: i64,
        (profile, subprofile): (u64, Option<u64>),
        parameters: Value,
        fields: Value,
    ) {
        self.seq += 1;
        let time = time(BEGIN + second);
        let received = time.replace('Z', ".250000Z");
        let line = json!({
            "seq": self.seq, "received": received, "remote": "192.0.2.7", "label": label,
            "type": event_type, "time": time, "time_source": "time", "profile": profile,
            "subprofile": subprofile, "database": 1, "collection": subprofile.map(|_| 3),
            "created": null, "modified": null, "parameters": parameters, "fields": fields,
            "interests": [], "extra": {}
        });
        self.lines.push_str(&format!("{line}\n"));
    }

    /// An update that names `asked`, and shows `unasked` changed as well.
    fn update(&mut self, label: &str, second: i64, profile: u64, asked: Value, unasked: Value) {
        let known = &mut self.known[usize::try_from(profile).unwrap() - 1];
        for values in [&asked, &unasked] {
            known.extend(values.as_object().unwrap().clone());
        }
        let fields = Value::Object(known.clone());
        self.put(
            "update",
            Some(label),
            second,
            (profile, None),
            asked,
            fields,
        );
    }
}

/// The week's events.
pub fn week() -> String {
    let mut week = Week {
        lines: String::new(),
        seq: 0,
        known: Vec::new(),
    };
    let cities = ["Utrecht", "'s-Hertogenbosch", "Súdwest-Fryslân", "李雷", ""];
    for (profile, city) in (1..=PROFILES).zip(cities.iter().cycle()) {
        let fields = json!({
            "mail": format!("customer.number.{profile}@example.com"), "city": city,
            "newsletter": "Ja", "phone": "06-12345678", "visits": "1",
        });
        let second = profile.cast_signed();
        week.known.push(fields.as_object().unwrap().clone());
        let key = (profile, None);
        week.put("create", Some("shop"), second, key, fields.clone(), fields);
    }
    for (number, product) in [(101, "Bike"), (102, "\u{1b}]0;Lamp\u{7} 40%")] {
        let fields = json!({"product": product, "status": "paid"});
        let key = (30, Some(number));
        week.put("create", Some("orders"), HOUR, key, fields.clone(), fields);
    }
    // Everyday changes, so that something is usual.
    for profile in 1..=PROFILES {
        let second = DAY + profile.cast_signed() * 20 * MINUTE;
        week.update("shop", second, profile, json!({"visits": "2"}), json!({}));
    }
    // The import.
    for profile in HARMED {
        let second = 2 * DAY + 6 * HOUR + profile.cast_signed() * 3;
        let city = if profile == 9 { HOSTILE } else { "Nederland" };
        week.update("import", second, profile, json!({"city": city}), json!({}));
    }
    week.update(
        "crm",
        2 * DAY + 8 * HOUR,
        2,
        json!({"city": "Amersfoort"}),
        json!({}),
    );
    // Calls of an hour never came: what they changed shows with the next ones.
    for profile in 1..=12_u64 {
        let second = 4 * DAY + 8 * HOUR + profile.cast_signed() * 10 * MINUTE;
        let unasked = json!({"newsletter": "Nee"});
        week.update("shop", second, profile, json!({"visits": "3"}), unasked);
    }
    // Two that fight, over two profiles.
    for turn in 0..8 {
        let (label, phone) = match turn % 2 {
            0 => ("crm", "+31612345678"),
            _ => ("webshop", "06-12345678"),
        };
        for profile in [25_u64, 26] {
            let second = 3 * DAY + turn * 14 * MINUTE + profile.cast_signed();
            week.update(label, second, profile, json!({"phone": phone}), json!({}));
        }
    }
    // One value asked for, another come of it; and a name that nothing has.
    week.update(
        "crm",
        5 * DAY,
        27,
        json!({"visits": "many", "newsletter": "Ja", "mail": "customer@example.org"}),
        json!({"visits": "0", "city": "Leiden"}),
    );
    week.update(
        "newsletter-form",
        5 * DAY + HOUR,
        28,
        json!({HOSTILE: "Ja"}),
        json!({}),
    );
    week.put(
        "delete",
        Some("crm"),
        5 * DAY + 2 * HOUR,
        (30, None),
        json!({}),
        json!({}),
    );
    week.put(
        "delete",
        Some("crm"),
        5 * DAY + 3 * HOUR,
        (24, None),
        json!({}),
        json!({}),
    );
    // An export did not have one of them.
    week.put(
        "observed",
        Some("export"),
        6 * DAY,
        (29, None),
        json!({}),
        json!({}),
    );
    let observed = week.lines.trim_end().rfind('}').unwrap();
    week.lines.insert_str(observed, ",\"observed\":\"gone\"");
    week.lines
}
