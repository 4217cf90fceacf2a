#!/usr/bin/env bash
# Sends, repeats a send safely and reads missed messages, with curl alone.
set -euo pipefail

BASE_URL=${BASE_URL:-http://127.0.0.1:8000}
API=$BASE_URL/api

# post PATH BODY [HEADER...]: prints the response body and waits out the throttle.
post() {
  local path=$1 body=$2 response wait
  shift 2
  local headers=(-H 'Content-Type: application/json')
  for header in "$@"; do headers+=(-H "$header"); done
  while true; do
    response=$(curl -sS "$API$path" "${headers[@]}" -d "$body")
    wait=$(number retry_after_ms <<<"$response")
    [ -n "$wait" ] || break
    sleep "$(printf '%d.%03d' $((wait / 1000)) $((wait % 1000)))"
  done
  printf '%s\n' "$response"
}
# The first text or number field of this name in the JSON on standard input.
text() { sed -nE "s/.*\"$1\":\"([^\"]+)\".*/\1/p"; }
number() { sed -nE "s/^[^[]*\"$1\":([0-9]+).*/\1/p"; }

suffix=$RANDOM$RANDOM
register() {
  post /users/register/ "{\"username\":\"$1-$suffix\",\"email\":\"$1-$suffix@mail.example\",\"password\":\"Violet Umbrellas 42\",\"first_name\":\"\",\"last_name\":\"\"}"
}
login() {
  post /users/login/ "{\"username\":\"$1-$suffix\",\"password\":\"Violet Umbrellas 42\"}" | text access
}

register alice >/dev/null
bob_id=$(register bob | number id)
alice="Authorization: Bearer $(login alice)"
bob="Authorization: Bearer $(login bob)"
chat=$(post /chat/conversations/ "{\"participants\":[$bob_id]}" "$alice" | sed -nE 's/^\{"id":([0-9]+).*/\1/p')
echo "conversation $chat"

# The key makes the send safe to repeat: the second request returns the first result.
key="Idempotency-Key: first-$suffix"
first=$(post "/chat/conversations/$chat/messages/" '{"message":"Hello, Bob!"}' "$alice" "$key")
repeat=$(post "/chat/conversations/$chat/messages/" '{"message":"Hello, Bob!"}' "$alice" "$key")
echo "sent: $first"
echo "repeated: $repeat"

# Bob has read up to this message, then misses two.
last_number=$(number number <<<"$first")
post "/chat/conversations/$chat/messages/" '{"message":"Are you there?"}' "$alice" \
  "Idempotency-Key: second-$suffix" >/dev/null
post "/chat/conversations/$chat/messages/" '{"message":"See you later!"}' "$alice" \
  "Idempotency-Key: third-$suffix" >/dev/null

# Catching up over REST: every message after the last one that Bob has.
echo "missed: $(curl -sS "$API/chat/conversations/$chat/messages/?after=$last_number" -H "$bob")"
