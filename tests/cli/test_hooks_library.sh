#!/usr/bin/env bash
# What is sent is checked by the published library of Standard Webhooks, and what that signs is taken in. Needs npm
# and the network (or its cache): otherwise skipped.
# shellcheck source=tests/cli/hooks.sh
. "${srcdir:-.}/tests/cli/hooks.sh"

library=standardwebhooks@1.1.1
if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
    skip "no npm, or no node"
    finish
fi
mkdir "$work/npm"
if ! (cd "$work/npm" && echo '{"private": true}' >package.json \
        && timeout 60 npm install --no-fund --no-audit --ignore-scripts --prefer-offline "$library") >"$work/npm.log" 2>&1; then
    skip "npm cannot fetch $library: $(tail -1 "$work/npm.log")"
    finish
fi
cat >"$work/npm/check.cjs" <<'J'
const {Webhook} = require ("standardwebhooks");
const fs = require ("fs");
const [, , what, file, ...rest] = process.argv;
if (what === "verify") { // FILE SECRET...: how many hold, and how many of them with one byte changed, by each secret
    const got = fs.readFileSync (file, "utf8").trim ().split ("\n").map (line => JSON.parse (line));
    const holds = (secret, r, body) => {
        try { return JSON.stringify (new Webhook (secret).verify (body, r.headers)) === JSON.stringify (JSON.parse (body)); }
        catch (error) { return false; }
    };
    console.log (rest.map (secret => [got.filter (r => holds (secret, r, r.body)).length,
        got.filter (r => holds (secret, r, r.body.replace ('"seq":', '"Seq":'))).length].join (" ")).join (", "));
} else { // sign SECRET ID BODY
    const now = new Date ();
    const [id, body] = rest;
    console.log (Math.floor (now / 1000), new Webhook (file).sign (id, now, body));
}
J

receive farm
on anna init studio --as anna >/dev/null || not_ok "init"
sends anna "gateway-listen = 127.0.0.1:0"
start anna
secret=$(on anna hooks add farm "$(url farm)" --collection shots --value)
for i in 1 2 3; do works "a change" on anna set "shots/sq0${i}0" "{\"title\": \"Dämmerung $i\"}"; done
until_true "they come" got_is farm "len (ok)" 3
check () { node "$work/npm/check.cjs" "$@"; }
cd "$work/npm" || exit 1
same "each holds, and none that was altered" "$(check verify "$work/farm.d/got" "$secret")" "3 0"
cd "$OLDPWD" || exit 1
fresh=$(on anna hooks rotate farm)
works "a change" on anna set shots/sq040 '{"title": "Noon"}'
until_true "it comes" got_is farm "len (ok)" 4
tail -1 "$work/farm.d/got" >"$work/last"
cd "$work/npm" || exit 1
same "both secrets hold" "$(check verify "$work/last" "$secret" "$fresh" whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw)" "1 0, 1 0, 0 0"

# ---- and in

printf '{"title": "{/title}"}' >"$work/template.json"
secret=$(on anna inbox add tools --collection notes --template "$work/template.json")
body='{"title": "Ünder way"}'
read -r time signature <<<"$(check sign "$secret" msg_1 "$body")"
base=$(sed -n 's/.*gateway: listens on \(http[^ ]*\)/\1/p' "$work/anna.log" | tail -1)
printf '%s' "$body" >"$work/body"
post () { status_of "$base/v1/inbox/tools" "$work/body" "webhook-id: msg_1" "webhook-timestamp: $time" "webhook-signature: $1"; }
same "what the library signs is taken" "$(post "$signature")" 201
same "once" "$(post "$signature")" 200
same "what it did not sign is not" "$(post "v1,AAAA${signature:7}")" 401
same "as it was" "$(on anna get "notes/$(on anna ls notes)" /title)" '"Ünder way"'
stop anna
calm
finish
