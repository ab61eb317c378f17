// A peer: Node and better-sqlite3, every call synced before its answer.
//
// Usage: node_sqlite.mjs FILE [--group]
//
// With --group all calls of a turn of the event loop are committed together,
// and answered then; without it, each has a commit of its own.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parse } from 'node:querystring';

import Database from 'better-sqlite3';

// A timestamp without a zone is local time.
process.env.TZ = 'Europe/Amsterdam';

const group = process.argv[3] === '--group';
const database = new Database(process.argv[2]);
database.exec(readFileSync(new URL('schema.sql', import.meta.url), 'utf8'));
database.pragma('synchronous = FULL');
const insert = database.prepare(
  'INSERT INTO events (received, time, type, profile, subprofile, body) VALUES (?, ?, ?, ?, ?, ?)',
);
const select = database.prepare(
  'SELECT seq, time, type, subprofile, body FROM events WHERE profile = ? ORDER BY time, seq',
);
const begin = database.prepare('BEGIN IMMEDIATE');
const commit = database.prepare('COMMIT');

function number(text) {
  if (!/^-?[0-9]{1,15}$/.test(text ?? '')) throw new Error(`${text} is no number`);
  return Number(text);
}

/** What a call says of itself: the columns of `schema.sql`. */
function row(body) {
  const call = parse(body.toString(), '&', '=', { maxKeys: 0 });
  const now = Date.now();
  let moment = Math.trunc(now / 1000);
  if (call.time !== undefined) moment = number(call.time);
  else if (call.timestamp !== undefined) {
    moment = Math.trunc(Date.parse(call.timestamp.replace(' ', 'T')) / 1000);
    if (Number.isNaN(moment)) throw new Error('timestamp');
  }
  if (typeof call.type !== 'string') throw new Error('no type');
  const subprofile = call.subprofile === undefined ? null : number(call.subprofile);
  return [now * 1000, moment, call.type, number(call.profile), subprofile, body];
}

function answer(response, value, status = 200) {
  const text = JSON.stringify(value);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

let waiting = [];

function commitAll() {
  const calls = waiting;
  waiting = [];
  begin.run();
  for (const call of calls) call.seq = insert.run(call.values).lastInsertRowid;
  commit.run();
  for (const { response, seq } of calls) answer(response, { seq });
}

function keep(body, response) {
  let values;
  try {
    values = row(body);
  } catch (error) {
    answer(response, { error: error.message }, 400);
    return;
  }
  if (!group) {
    answer(response, { seq: insert.run(values).lastInsertRowid });
    return;
  }
  if (waiting.length === 0) setImmediate(commitAll);
  waiting.push({ values, response });
}

function history(profile) {
  return select.all(profile).map((event) => ({ ...event, body: event.body.toString() }));
}

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    const url = new URL(request.url, 'http://localhost');
    if (url.pathname === '/history') answer(response, history(Number(url.searchParams.get('profile'))));
    else answer(response, { ok: true });
    return;
  }
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => keep(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks), response));
});
server.listen(0, '127.0.0.1', 1024, () => {
  console.error(`listening on http://127.0.0.1:${server.address().port}`);
});
process.on('SIGTERM', () => {
  database.close();
  process.exit(0);
});
