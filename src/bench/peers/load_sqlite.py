"""Loads bodies, one a line on standard input, into a peer's database.

Usage: load_sqlite.py FILE

In transactions of 10,000, so that a large database is there in a minute; the
schema is the same as that of the peers. Prints a profile with about 20 events.
"""

import sqlite3
import sys
from itertools import islice
from pathlib import Path

from decode import INSERT, row

database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.executescript(Path(__file__).with_name("schema.sql").read_text())
database.execute("PRAGMA synchronous = NORMAL")
bodies = (row(line.rstrip(b"\n")) for line in sys.stdin.buffer)
while some := list(islice(bodies, 10_000)):
    database.execute("BEGIN")
    database.executemany(INSERT, some)
    database.execute("COMMIT")
database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
print(
    database.execute(
        "SELECT profile FROM events WHERE subprofile IS NULL"
        " GROUP BY profile ORDER BY abs(count(*) - 20) LIMIT 1"
    ).fetchone()[0]
)
database.close()
