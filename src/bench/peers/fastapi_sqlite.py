"""A peer: FastAPI and SQLite, one commit a call, synced before its answer.

Usage: fastapi_sqlite.py FILE

One process under uvicorn with uvloop and httptools. The handler is a coroutine
that works on one connection to the database: handing each call to a thread
pool makes this slower.
"""

import json
import socket
import sqlite3
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request, Response

from decode import INSERT, row

database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.executescript(Path(__file__).with_name("schema.sql").read_text())
database.execute("PRAGMA synchronous = FULL")

app = FastAPI()


@app.post("/webhook")
async def webhook(request: Request) -> Response:
    body = await request.body()
    try:
        values = row(body)
    except (ValueError, KeyError) as error:
        return answer({"error": str(error)}, 400)
    return answer({"seq": database.execute(INSERT, values).lastrowid})


@app.get("/history")
async def history(profile: int) -> Response:
    rows = database.execute(
        "SELECT seq, time, type, subprofile, body FROM events"
        " WHERE profile = ? ORDER BY time, seq",
        (profile,),
    )
    names = ("seq", "time", "type", "subprofile", "body")
    events = [dict(zip(names, (*found[:4], found[4].decode()))) for found in rows]
    return answer(events)


@app.get("/healthz")
async def healthz() -> Response:
    return answer({"ok": True})


def answer(value: object, status: int = 200) -> Response:
    return Response(json.dumps(value), status, media_type="application/json")


listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", file=sys.stderr, flush=True)
config = uvicorn.Config(
    app, loop="uvloop", http="httptools", log_level="warning", access_log=False
)
uvicorn.Server(config).run([listener])
