#!/bin/sh
# Puts over TLS against plain text: the same kedge listens both ways, h2load asks both in turn. Prints requests/s and the
# server's CPU time for 100,000 of them (which other work on the machine disturbs less), then the ratios of the medians.
# Needs nghttp2-client.   bench/tls.sh [rounds] [requests]
set -eu
root=$(CDPATH='' cd "$(dirname "$0")/.." && pwd -P)
rounds=${1:-5}
requests=${2:-60000}
folder=$(mktemp -d "${TMPDIR:-/tmp}/kedge-tls.XXXXXX")
"$root/bin/kedge" certs --dir "$folder/certs" --hosts 127.0.0.1 >/dev/null
plain=$((20000 + $$ % 10000))
tls=$((plain + 10000))
"$root/bin/kedge" serve --quiet --log-level error --data-dir "$folder/data" \
  --listen-client-urls "http://127.0.0.1:$plain,https://127.0.0.1:$tls" \
  --cert-file "$folder/certs/server.crt" --key-file "$folder/certs/server.key" &
server=$!
trap 'kill $server; wait $server 2>/dev/null || true; rm -rf "$folder"' EXIT
until curl -s "http://127.0.0.1:$plain/health" >/dev/null; do sleep 0.1; done
# A gRPC frame with a PutRequest: a key of 16 bytes, a value of 512.
node -e '
  const put = Buffer.concat([Buffer.from([0x0a, 16]), Buffer.from("a-key-of-16-byte"), Buffer.from([0x12, 0x80, 0x04]), Buffer.alloc(512, "v")]);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(put.length, 1);
  require("fs").writeFileSync(process.argv[1], Buffer.concat([frame, put]));
' "$folder/put"
# Ticks of CPU that the server has used.
ticks() { awk '{ print $14 + $15 }' "/proc/$server/stat"; }
# Prints requests/s and CPU seconds for 100,000 requests.
ask() {
  before=$(ticks)
  rate=$(h2load -n "$requests" -c 50 -m 20 -d "$folder/put" -H 'content-type: application/grpc' -H 'te: trailers' \
    "$1/etcdserverpb.KV/Put" | sed -n 's/^finished in .*, \([0-9.]*\) req\/s.*/\1/p')
  awk "BEGIN { printf \"%s %.2f\", $rate, ($(ticks) - $before) / $(getconf CLK_TCK) * 100000 / $requests }"
}
ask "http://127.0.0.1:$plain" >/dev/null
ask "https://127.0.0.1:$tls" >/dev/null
for round in $(seq "$rounds"); do
  a=$(ask "http://127.0.0.1:$plain")
  b=$(ask "https://127.0.0.1:$tls")
  echo "$a $b" >>"$folder/rates"
  echo "round $round: plain ${a% *}/s, ${a#* } s CPU; TLS ${b% *}/s, ${b#* } s CPU (for 100,000)"
done
# Every request was a put: each made a revision.
revision=$(curl -s "http://127.0.0.1:$plain/v3/kv/range" -d '{"key":"AA=="}' | sed 's/.*"revision":"\([0-9]*\)".*/\1/')
[ "$revision" -eq $((1 + requests * 2 * (rounds + 1))) ] || { echo "some puts failed: revision $revision" >&2; exit 1; }
median() { cut -d' ' -f"$1" "$folder/rates" | sort -n | sed -n "$(((rounds + 1) / 2))p"; }
awk "BEGIN { printf \"TLS / plain: rate %.2f, CPU %.2f\n\", $(median 3) / $(median 1), $(median 4) / $(median 2) }"
