-- What every peer keeps of a call: who, when, what, and the body as it was sent.
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY,
    received INTEGER NOT NULL, -- in Unix microseconds
    time INTEGER NOT NULL,     -- in Unix seconds
    type TEXT NOT NULL,
    profile INTEGER NOT NULL,
    subprofile INTEGER,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_profile_and_time ON events (profile, time);
