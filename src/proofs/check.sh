#!/bin/sh
# Checks that the body in this folder is an event of a log whose signer has signed it:
#   sh check.sh KEY [CERTIFICATES]
# KEY is the signer's key, NAME+ID+KEY, as you know it from elsewhere; without it the key
# in the file vkey is taken. CERTIFICATES is a file (PEM) with those that vouch for the
# time-stamping authority; without it the time stamp is not checked, nor are the signatures
# of witnesses. Needs openssl 3 and standard tools. It cannot check itself.
set -eu
certificates=${2:-}
case $certificates in '' | /*) ;; *) certificates=$PWD/$certificates ;; esac
cd "$(dirname "$0")"
fail() { echo "not proved: $1" >&2; exit 1; }
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
sha() { openssl dgst -sha256 -binary; }
text() { openssl base64 -A; }
bytes() { printf %s "$1" | openssl base64 -A -d >"$tmp/$2"; [ "$(text <"$tmp/$2")" = "$1" ] || fail "$2 is no base64"; }
# The key, its number, and openssl's form of it.
vkey=$(cat vkey); [ "$vkey" = "${1:-$vkey}" ] || fail "it is signed with another key"
printf '%s\n' "$vkey" | cmp -s - vkey || fail "the file vkey has more than a key"
origin=${vkey%%+*}; id=${vkey#*+}; bytes "${id#*+}" key; id=${id%%+*}
{ printf '%s\n' "$origin"; cat "$tmp/key"; } | sha | head -c 4 >"$tmp/id"
[ "$(od -An -tx1 "$tmp/id" | tr -d ' \n')" = "$id" ] || fail "the key has another number"
{ printf '\060\052\060\005\006\003\053\145\160\003\041\000'; tail -c 32 "$tmp/key"; } >"$tmp/spki"
printf -- '-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n' "$(text <"$tmp/spki")" |
  cmp -s - key.pem || fail "key.pem is another key than vkey"
# The signature of the checkpoint; those of witnesses follow.
sed '/^$/,$d' checkpoint >"$tmp/signed"; head -n 5 checkpoint >"$tmp/own"
{ read -r name; read -r size; read -r root; } <"$tmp/signed"
bytes "$(sed -n "5s|^— $origin ||p" checkpoint)" note
{ cat "$tmp/signed"; printf '\n— %s %s\n' "$origin" "$(text <"$tmp/note")"; } | cmp -s - "$tmp/own" || fail "checkpoint is no signed note"
if tail -n +6 checkpoint | grep -qv '^— '; then fail "checkpoint is no signed note"; fi
head -c 4 "$tmp/note" | cmp -s - "$tmp/id" && [ "$name" = "$origin" ] || fail "the checkpoint is of another signer"
tail -c +5 "$tmp/note" >"$tmp/signature"
openssl pkeyutl -verify -rawin -pubin -inkey key.pem -sigfile "$tmp/signature" -in "$tmp/signed" >/dev/null 2>&1 ||
  fail "the signature of the checkpoint is wrong"
# From the body to the leaf, and from the leaf to the root.
what="the body is that of event"
if [ "$(head -c 1 leaf | od -An -tx1 | tr -d ' ')" = 04 ]; then
  what="the leaf is control record"
else
  [ "$(wc -c <salt)" -eq 16 ] || fail "the salt has not 16 bytes"
  cat salt body | sha >"$tmp/body"; tail -c 32 leaf | cmp -s - "$tmp/body" || fail "the body is not the one of the leaf"
fi
{ printf '\000'; cat leaf; } | sha >"$tmp/hash"
index=$(sed -n '2s/^index //p' event.tlog-proof)
case $index in '' | *[!0-9]* | 0?*) fail "the proof has no index" ;; esac
[ "$index" -lt "$size" ] || fail "the event is not in the checkpoint"
sed '1,2d;/^$/,$d' event.tlog-proof >"$tmp/path"
{ printf 'c2sp.org/tlog-proof@v1\nindex %s\n' "$index"; cat "$tmp/path"; echo; cat checkpoint; } |
  cmp -s - event.tlog-proof || fail "event.tlog-proof is not a proof with this checkpoint"
at=$index; last=$((size - 1))
while read -r line; do
  [ "$last" -gt 0 ] || fail "the proof is too long"
  bytes "$line" sibling; order="hash sibling"
  if [ $((at & 1)) -eq 1 ] || [ "$at" -eq "$last" ]; then
    order="sibling hash"
    while [ $((at & 1)) -eq 0 ]; do at=$((at >> 1)); last=$((last >> 1)); done
  fi
  { printf '\001'; (cd "$tmp" && cat $order); } | sha >"$tmp/next"; mv "$tmp/next" "$tmp/hash"
  at=$((at >> 1)); last=$((last >> 1))
done <"$tmp/path"
[ "$last" -eq 0 ] && [ "$(text <"$tmp/hash")" = "$root" ] || fail "the event is not in the tree that was signed"
stamped=
if [ -n "$certificates" ]; then
  [ -f stamp.tsr ] || fail "it has no time stamp"
  stamped=$(openssl ts -reply -in stamp.tsr -text 2>/dev/null | sed -n 's/^Time stamp: //p') || true
  # The authority's certificate need not be valid today.
  moment=$(date -u -d "$stamped" +%s 2>/dev/null) || moment=
  openssl ts -verify -in stamp.tsr -data "$tmp/own" -CAfile "$certificates" ${moment:+-attime "$moment"} >/dev/null 2>&1 ||
    fail "the time stamp is wrong"
  stamped=", which was signed before $stamped"
fi
echo "proved: $what $((index + 1)) of $origin, in its checkpoint of $size events$stamped"
