//! The answers to `demo`'s five questions, counted by hand: from the bodies of
//! the calls alone, with a dictionary for each profile and nothing of this
//! program; and once more in SQL, where each value that a call shows stands beside
//! the one that the (sub)profile's call before it showed, and a change is claimed
//! if the field is among the call's `parameters`. Both gave these numbers.

/// The bad import.
pub struct Incident {
    pub first_seq: u64,
    pub last_seq: u64,
    pub from: &'static str,
    pub until: &'static str,
    pub profiles: usize,
    pub value: &'static str,
    /// The commonest of what was there before, and of how many.
    pub pairs: [(&'static str, u64); 5],
}

/// The one fight.
pub struct Fight {
    pub profile: u64,
    pub sides: [(&'static str, &'static str, u64); 2],
    pub first: &'static str,
    pub last: &'static str,
    /// 144 changes within 120,023 seconds.
    pub every: u64,
}

/// The hour of which no call came.
pub struct Lost {
    /// The hour in the story.
    pub hour: (&'static str, &'static str),
    /// The last call before it, and the first after it.
    pub quiet: (&'static str, &'static str),
    /// In which moments each loss would explain all of them.
    pub span: (&'static str, &'static str),
    /// The fields that changed unseen, and of how many profiles.
    pub fields: [(&'static str, usize); 4],
    /// Which calls showed it.
    pub shown_by: [(&'static str, u64); 2],
    /// Whose calls set these fields, and how often.
    pub set_by: [(&'static str, u64, u64); 4],
}

/// Who vanished.
pub struct Vanished {
    pub mail: &'static str,
    pub profile: u64,
    pub first: (u64, &'static str),
    pub deleted: (u64, &'static str),
    pub orders: [u64; 3],
}

pub const INCIDENT: Incident = Incident {
    first_seq: 3923,
    last_seq: 4044,
    from: "2026-03-13T09:00:00Z",
    until: "2026-03-13T09:03:58Z",
    profiles: 120,
    value: "Nederland",
    pairs: [
        ("'s-Hertogenbosch", 13),
        ("Nijmegen", 13),
        ("Súdwest-Fryslân", 11),
        ("IJsselstein", 9),
        // As many were in Zwolle.
        ("Leiden", 9),
    ],
};

pub const FIGHT: Fight = Fight {
    profile: 1088,
    sides: [("crm", "+31612345678", 72), ("webshop", "06-12345678", 72)],
    first: "2026-03-11T10:00:00Z",
    last: "2026-03-12T19:20:23Z",
    every: 839,
};

pub const LOST: Lost = Lost {
    hour: ("2026-03-10T13:00:00Z", "2026-03-10T14:00:00Z"),
    quiet: ("2026-03-10T12:59:09Z", "2026-03-10T14:00:31Z"),
    span: ("2026-03-10T12:59:09Z", "2026-03-10T14:02:47Z"),
    fields: [
        ("newsletter", 42),
        ("last_visit", 2),
        ("city", 1),
        ("points", 1),
    ],
    shown_by: [("webshop", 45), ("import", 1)],
    set_by: [
        ("webshop", 1439, 3),
        ("crm", 564, 0),
        ("import", 120, 0),
        ("newsletter-form", 109, 0),
    ],
};

/// What Emma said when and by which way, in the order of time.
pub const EMMA: [(u64, &str, &str, &str); 4] = [
    (89, "2026-03-03T12:09:21Z", "webshop", "Nee"),
    (520, "2026-03-05T19:12:07Z", "newsletter-form", "Ja"),
    (1515, "2026-03-08T08:12:07Z", "crm", "Nee"),
    (3758, "2026-03-12T18:12:07Z", "newsletter-form", "Ja"),
];

pub const VANISHED: Vanished = Vanished {
    mail: "sanne.bakker@example.com",
    profile: 1187,
    first: (131, "2026-03-03T18:36:56Z"),
    deleted: (4664, "2026-03-14T15:20:00Z"),
    orders: [50_001, 50_002, 50_003],
};
