#!/usr/bin/env bash
# Webhooks of one peer: what is sent and how it is signed, filters, order, retries, dead letters, replay, hostile and
# slow receivers, addresses that are not listed.
# shellcheck source=tests/cli/hooks.sh
. "${srcdir:-.}/tests/cli/hooks.sh"
lease=5s patience_s=15

receive farm
receive wall
receive slow
on_init () { on anna init studio --as anna >/dev/null || not_ok "init"; }
on_init
sends anna "hooks-timeout = 2s" "hooks-log-size = 16K"
start anna

# signed NAME SECRET...: is what it got last signed by each of these secrets, and by no others?
signed ()
{
    local name=$1
    shift
    python3 -c 'import base64, hashlib, hmac, json, sys, time
r = [json.loads (line) for line in open (sys.argv[1])][-1]
h = r["headers"]
given = h["webhook-signature"].split (" ")
def sign (secret):
    key = base64.b64decode (secret.removeprefix ("whsec_"))
    text = h["webhook-id"] + "." + h["webhook-timestamp"] + "." + r["body"]
    return "v1," + base64.b64encode (hmac.new (key, text.encode (), hashlib.sha256).digest ()).decode ()
print (sorted (given) == sorted (sign (s) for s in sys.argv[2:]) and abs (int (h["webhook-timestamp"]) - time.time ()) < 60)' \
        "$work/$name.d/got" "$@"
}

# ---- bad input

refuses "no collection" 1 "--collection" on anna hooks add farm "$(url farm)"
refuses "no URL" 1 "begins with neither https:// nor http://" on anna hooks add farm "ftp://x/y" --collection shots
refuses "a password in the URL" 1 "leave it out" on anna hooks add farm "http://a:b@127.0.0.1/" --collection shots
refuses "a decimal address" 1 "unusual form" on anna hooks add farm "http://2130706433/" --collection shots
refuses "an octal address" 1 "unusual form" on anna hooks add farm "http://0177.0.0.1:80/" --collection shots
refuses "a bad name" 1 "is no name of a subscription" on anna hooks add ../x "$(url farm)" --collection shots
refuses "a bad path" 1 "is no JSON Pointer" on anna hooks add farm "$(url farm)" --collection shots --path title
refuses "no such subscription" 3 "saker hooks list" on anna hooks show nothing
refuses "a bad word" 2 "usage: saker hooks" on anna hooks frob
echo "whsec_short" >"$work/secret"
chmod 600 "$work/secret"
refuses "a short secret" 1 "24 to 64 random bytes" on anna hooks add farm "$(url farm)" --collection shots --secret-file "$work/secret"
chmod 644 "$work/secret"
refuses "a secret that others can read" 5 "chmod 600" on anna hooks add farm "$(url farm)" --collection shots --secret-file "$work/secret"

# ---- one event, signed

secret=$(on anna hooks add farm "$(url farm)" --collection shots --backoff 200ms --attempts 3 --value)
refuses "a second one of that name" 4 "another name" on anna hooks add farm "$(url farm)" --collection shots
until_true "it is sent by anna" has_owner anna farm
works "a change" on anna set shots/sq010 '{"title": "Dawn"}'
until_true "it comes" got_is farm "docs" "['sq010']"
same "signed" "$(signed farm "$secret")" True
same "the attributes of CloudEvents" "$(got farm "[g[0]['b'][k] for k in ('specversion', 'type', 'source', 'subject')]")" \
    "['1.0', 'saker.document.changed', '/v1/collections/shots', 'sq010']"
same "its content type" "$(got farm "g[0]['headers']['content-type']")" "application/cloudevents+json; charset=utf-8"
same "the document" "$(got farm "g[0]['b']['data']['value']")" "{'title': 'Dawn'}"
if grep -rq "${secret#whsec_}" "$work/anna.log" "$work/anna/hooks.log"; then not_ok "the secret is in a log"; else ok; fi
same "the log is the owner's" "$(stat -c %a "$work/anna/hooks.log")" 600
same "no secret is shown" "$(on anna hooks show farm --json | grep -c "${secret#whsec_}")" 0

# ---- two secrets for a while, then one

fresh=$(on anna hooks rotate farm --overlap 3s)
rotated=$SECONDS
works "a change" on anna set shots/sq020 /n 1
until_true "it comes" got_is farm "docs[-1]" sq020
same "signed with both" "$(signed farm "$secret" "$fresh")" True
until [ $((SECONDS - rotated)) -ge 4 ]; do sleep 0.2; done
works "a change" on anna set shots/sq030 /n 1
until_true "it comes" got_is farm "docs[-1]" sq030
same "signed with the new one" "$(signed farm "$fresh")" True

# ---- retries: it fails twice, then takes it; the id stays

answers farm '{"status": 500, "times": 2, "only": "sq040"}'
works "a change" on anna set shots/sq040 /n 1
until_true "it comes in the end" got_is farm "docs[-1]" sq040
same "three attempts with one id" "$(got farm "len (set (r['id'] for r in g if r['b']['subject'] == 'sq040')), len ([r for r in g if r['b']['subject'] == 'sq040'])")" "(1, 3)"

answers farm '{"status": 429, "times": 1, "only": "sq050", "headers": {"Retry-After": "2"}}'
works "a change" on anna set shots/sq050 /n 1
until_true "it comes in the end" got_is farm "docs[-1]" sq050
same "Retry-After is kept" "$(got farm "(lambda t: 1.9 < t[1] - t[0] < 10) ([r['at'] for r in g if r['b']['subject'] == 'sq050'])")" True

# ---- order: what fails holds up its document, and no other

answers farm '{"status": 400, "times": 2, "only": "sq060"}'
works "a change" on anna set shots/sq060 /n 1
works "another of it" on anna set shots/sq060 /n 2
works "one of another" on anna set shots/sq070 /n 1
until_true "all three come" got_is farm "sorted (docs[-3:])" "['sq060', 'sq060', 'sq070']"
same "in order" "$(got farm "[r['b']['data']['seq'] for r in ok if r['b']['subject'] == 'sq060'] == sorted (r['b']['data']['seq'] for r in ok if r['b']['subject'] == 'sq060')")" True
same "others are not held up" "$(got farm "docs[-3]")" sq070

# ---- dead letters

answers farm '{"status": 400, "only": "sq080"}'
works "a change" on anna set shots/sq080 /n 1
is_dead () { [ "$(on anna hooks dead farm --json | json "j['document'], j['attempts'], j['status']")" = "('$1', 3, 400)" ]; }
until_true "it is dead after three attempts" is_dead sq080
answers farm '{}'
event=$(on anna hooks dead farm --json | json "j['event']")
works "replay by id" on anna hooks replay farm --event "$event"
until_true "it comes" got_is farm "docs[-1]" sq080
same "none is dead" "$(on anna hooks dead farm --json)" ""
refuses "an event that was none" 3 "there is no event" on anna hooks replay farm --event 00000000000000000000000000000000

# ---- replay by time, with the ids that they had

count=$(got farm "len (ok)") distinct=$(got farm "len (distinct)")
works "replay by time" on anna hooks replay farm --since 1h
until_true "all come again" got_is farm "len (ok)" $((count + distinct))
same "with the ids that they had" "$(got farm "len (distinct)")" "$distinct"

# ---- filters

works "only some documents, one place" on anna hooks add wall "$(url wall)" --collection shots --documents sq1 --path /title --backoff 200ms
until_true "it is sent" has_owner anna wall
works "a change" on anna set shots/sq200 '{"title": "No"}'
works "a change" on anna set shots/sq100 '{"frames": 1}'
works "a change" on anna set shots/sq100 /frames 2
works "a change" on anna set shots/sq101 /title '"Yes"'
works "a change above it" on anna set shots/sq102 '{"title": "Yes", "frames": 2}'
until_true "the two that fit come" got_is wall "docs" "['sq101', 'sq102']"

seq=$(on anna set shots/sq104 '{"frames": 1}' --json | json "j['seq']")
passed_over () # what is beside the path goes into progress now and then, with what comes later
{
    on anna set shots/sq104 /frames "$RANDOM"
    [ "$(on anna get hooks/progress/wall --json | json "[int (str (v).split ()[0]) > $seq * 2048 for v in j['data'].values ()][0]")" = True ]
}
until_true "what was beside the path is done with, too" passed_over
same "and was not sent" "$(got wall "docs")" "['sq101', 'sq102']"

# ---- pause and resume

works "pause" on anna hooks pause farm
works "a change" on anna set shots/sq300 /n 1
works "the other one sends" on anna set shots/sq103 /title '"Yes"'
until_true "the other one got it" got_is wall "docs[-1]" sq103
same "nothing while paused" "$(got farm "'sq300' in docs")" False
works "resume" on anna hooks resume farm
until_true "what came meanwhile" got_is farm "docs[-1]" sq103

# ---- hostile receivers: slow, endless, leading elsewhere; the others go on

answers slow '{"stall": 60}'
works "a slow one" on anna hooks add slow "$(url slow)" --collection shots --backoff 200ms --attempts 2
until_true "it is sent" has_owner anna slow
for i in 1 2 3 4 5; do works "a change" on anna set "shots/sq40$i" /n 1; done
until_true "the others get theirs" got_is farm "docs[-1]" sq405
if [ "$(on anna hooks dead slow --json | wc -l)" -lt 5 ]; then ok; else not_ok "a slow receiver held up another"; fi
answers slow '{"bytes": 50000000}'
until_true "an endless answer is an answer" got_is slow "len ([r for r in ok if r['b']['subject'] == 'sq405']) > 0" True
answers slow "{\"status\": 307, \"headers\": {\"Location\": \"$(url farm)\"}}"
count=$(got farm "len (g)")
works "a change" on anna set shots/sq500 /n 1
until_true "a redirect is refused" eval 'on anna hooks dead slow | grep -q "redirects are not followed"'
until_true "by its own way it comes once" got_is farm "len (g)" $((count + 1))

# ---- 410 ends it

answers slow '{"status": 410}'
works "a change" on anna set shots/sq510 /n 1
is_gone () { [ "$(on anna hooks show slow --json | json "j['state']")" = gone ]; }
until_true "it is gone" is_gone
same "and says why" "$(on anna hooks show slow --json | json "'410' in j['reason']")" True
works "remove" on anna hooks remove slow
works "of a collection that is not there yet" on anna hooks add early "$(url farm)" --collection not-yet
works "removed before it sent anything" on anna hooks remove early
refuses "it is no more" 3 "there is no subscription" on anna hooks show slow
same "nothing is left of it" "$(on anna ls hooks | grep -c slow)" 0

# ---- addresses that are not listed

works "an address that is not listed" on anna hooks add inside "http://[::1]:${ports[wall]}/" --collection shots --attempts 1
works "0.0.0.0" on anna hooks add zero "http://0.0.0.0:${ports[wall]}/" --collection shots --attempts 1
works "mapped" on anna hooks add mapped "http://[::ffff:10.0.0.1]:${ports[wall]}/" --collection shots --attempts 1
for hook in inside zero mapped; do until_true "$hook is sent" has_owner anna "$hook"; done
count=$(got wall "len (g)")
works "a change" on anna set shots/sq600 /n 1
for hook in inside zero mapped; do
    until_true "$hook is told what to do" eval "on anna hooks dead $hook | grep -q 'is in no network of hooks-allow'"
done
same "nothing came" "$(got wall "len (g)")" "$count"

# ---- the log is bounded

for i in $(seq 80); do on anna set "shots/sq700" /n "$i" || not_ok "set"; done
until_true "all came" got_is farm "len ([d for d in docs if d == 'sq700'])" 80
size=$(cat "$work/anna/hooks.log" "$work/anna/hooks.log.1" | wc -c)
if [ "$size" -le 20000 ]; then ok; else not_ok "the log has $size bytes"; fi
same "it can be read" "$(on anna hooks log farm --json | tail -1 | json "j['document'], j['result'], j['status']")" "('sq700', 'delivered', 200)"

stop anna
calm
finish
