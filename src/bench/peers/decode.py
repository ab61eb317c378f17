"""What a call says of itself: the columns of `schema.sql`."""

import time
from datetime import datetime
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
INSERT = (
    "INSERT INTO events (received, time, type, profile, subprofile, body)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)


def row(body: bytes) -> tuple:
    """The values of INSERT; ValueError or KeyError where the body makes no sense."""
    call = dict(parse_qsl(body.decode(), keep_blank_values=True))
    received = time.time_ns() // 1000
    if "time" in call:
        moment = int(call["time"])
    elif "timestamp" in call:
        local = datetime.fromisoformat(call["timestamp"])
        moment = int(local.replace(tzinfo=AMSTERDAM).timestamp())
    else:
        moment = received // 1_000_000
    subprofile = int(call["subprofile"]) if "subprofile" in call else None
    return received, moment, call["type"], int(call["profile"]), subprofile, body
