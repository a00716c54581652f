#!/bin/sh
# Puts over TLS against plain text: the same kedge listens both ways, h2load asks both in turn. Prints requests/s of each
# round and the ratio of the medians. Needs nghttp2-client.   bench/tls.sh [rounds] [seconds]
set -eu
root=$(CDPATH='' cd "$(dirname "$0")/.." && pwd -P)
rounds=${1:-5}
seconds=${2:-4}
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
ask() {
  h2load -D "$seconds" --warm-up-time 1 -c 50 -m 20 -d "$folder/put" -H 'content-type: application/grpc' -H 'te: trailers' \
    "$1/etcdserverpb.KV/Put" | sed -n 's/^finished in .*, \([0-9.]*\) req\/s.*/\1/p'
}
for round in $(seq "$rounds"); do
  a=$(ask "http://127.0.0.1:$plain")
  b=$(ask "https://127.0.0.1:$tls")
  echo "$a $b" >>"$folder/rates"
  echo "round $round: plain $a/s, TLS $b/s"
done
median() { cut -d' ' -f"$1" "$folder/rates" | sort -n | sed -n "$(((rounds + 1) / 2))p"; }
echo "TLS / plain: $(awk "BEGIN { printf \"%.2f\", $(median 2) / $(median 1) }")"
