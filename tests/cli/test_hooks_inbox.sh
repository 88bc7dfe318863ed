#!/usr/bin/env bash
# Incoming webhooks: signatures, repeats, templates; the same delivery five times at three peers is one record.
# shellcheck source=tests/cli/hooks.sh
. "${srcdir:-.}/tests/cli/hooks.sh"

on anna init studio --as anna >/dev/null || not_ok "init"
sends anna "gateway-listen = 127.0.0.1:0"
start anna
for name in bob carol; do
    on anna invite | on "$name" join - --as "$name" >/dev/null || not_ok "join of $name"
    sends "$name" "gateway-listen = 127.0.0.1:0"
    start "$name"
done

# deliver NAME URL SECRET ID BODY [OPTION]...: a delivery of Standard Webhooks (with --hmac of a git forge; --at SECONDS:
# another time; --bad: a wrong signature; --to NAMES: five times, at each of these at once); prints status and answer.
base () { sed -n 's/.*gateway: listens on \(http[^ ]*\)/\1/p' "$work/$1.log" | tail -1; }
cat >"$work/deliver.py" <<'P'
import base64, hashlib, hmac, http.client, json, sys, threading, time, urllib.parse
urls, path, secret, id, body = sys.argv[1].split (","), *sys.argv[2:6]
rest = sys.argv[6:]
now = str (int (time.time ()) + (int (rest[rest.index ("--at") + 1]) if "--at" in rest else 0))
if "--hmac" in rest:
    headers = {"X-Hub-Signature-256": "sha256=" + hmac.new (secret.encode (), body.encode (), hashlib.sha256).hexdigest (),
               "X-GitHub-Delivery": id}
else:
    key = base64.b64decode (secret.removeprefix ("whsec_"))
    sign = base64.b64encode (hmac.new (key, f"{id}.{now}.{body}".encode (), hashlib.sha256).digest ()).decode ()
    headers = {"webhook-id": id, "webhook-timestamp": now, "webhook-signature": "v1," + sign}
headers["Content-Type"] = "application/json"
if "--bad" in rest:
    body += " "
answers = []
def send (url):
    c = http.client.HTTPConnection (urllib.parse.urlsplit (url).netloc, timeout = 30)
    c.request ("POST", path, body.encode (), headers)
    r = c.getresponse ()
    answers.append ((r.status, json.loads (r.read ())))
threads = [threading.Thread (target = send, args = (u,)) for u in urls for i in range (5 if "--five" in rest else 1)]
[t.start () for t in threads]
[t.join () for t in threads]
if "--five" in rest:
    print (len (answers), len ([s for s, a in answers if s in (200, 201)]), len ({a.get ("document") for s, a in answers}))
else:
    print (answers[0][0], answers[0][1].get ("detail", answers[0][1].get ("repeated")))
P
deliver () { python3 "$work/deliver.py" "$@"; }

printf '{"title": "{/pull_request/title}", "by": "{/sender/login}", "note": "#{/number}: {/pull_request/title}", "n": "{/number}", "labels": "{/labels}"}' >"$work/template.json"
printf '{"title": "{title}"}' >"$work/wrong.json"
printf '{"title": ["a"]}' >"$work/list.json"
body='{"number": 7, "labels": ["a"], "pull_request": {"title": "Fix"}, "sender": {"login": "bob"}}'

refuses "a wrong template" 1 "begins no JSON Pointer" on anna inbox add forge --collection reviews --template "$work/wrong.json"
refuses "a template with a list" 1 "documents have none yet" on anna inbox add forge --collection reviews --template "$work/list.json"
refuses "no template" 2 "--template" on anna inbox add forge --collection reviews
refuses "no collection" 1 "--collection" on anna inbox add forge --template "$work/template.json"
refuses "no such inbox" 3 "saker inbox list" on anna inbox show forge
secret=$(on anna inbox add forge --collection reviews --template "$work/template.json" --prefix pr-)
same "a secret" "${secret:0:6}" whsec_
same "which is not shown again" "$(on anna inbox show forge --json | grep -c "${secret#whsec_}")" 0
refuses "a second one of that name" 4 "another name" on anna inbox add forge --collection reviews --template "$work/template.json"

# ---- one delivery

a=$(base anna) b=$(base bob) c=$(base carol)
path=/v1/inbox/forge
same "it is taken" "$(deliver "$a" $path "$secret" d1 "$body")" "201 False"
same "once" "$(deliver "$a" $path "$secret" d1 "$body")" "200 True"
document=$(on anna ls reviews | head -1)
same "by its template" "$(on anna get "reviews/$document")" \
    "$(printf '%s' '{"by":"bob","labels":"[\"a\"]","n":7,"note":"#7: Fix","title":"Fix"}' | python3 -c 'import json, sys; print (json.dumps (json.load (sys.stdin)))' | sed 's/": /":/g; s/, "/,"/g')"
same "its id begins so" "${document:0:3}" pr-
same "a wrong signature" "$(deliver "$a" $path "$secret" d2 "$body" --bad | cut -d' ' -f1)" 401
same "another secret" "$(deliver "$a" $path whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw d2 "$body" | cut -d' ' -f1)" 401
same "too old" "$(deliver "$a" $path "$secret" d2 "$body" --at -400 | cut -d' ' -f1)" 401
same "too new" "$(deliver "$a" $path "$secret" d2 "$body" --at 400 | cut -d' ' -f1)" 401
same "no JSON" "$(deliver "$a" $path "$secret" d2 "no" | cut -d' ' -f1)" 400
same "no inbox" "$(deliver "$a" /v1/inbox/none "$secret" d2 "$body" | cut -d' ' -f1)" 404
same "no headers" "$(status_of "$a$path" "$work/template.json")" 400
same "no token where one is needed" "$(status_of "$a/v1/hooks")" 401
head -c 1100000 /dev/zero >"$work/large"
same "too large" "$(status_of "$a$path" "$work/large")" 413
same "no record of these" "$(on anna ls reviews | wc -l)" 1

# ---- as git forges sign

secret=$(on bob inbox add git --scheme hmac --collection reviews --template "$work/template.json")
same "it is taken" "$(deliver "$b" /v1/inbox/git "$secret" 5f3c "$body" --hmac)" "201 False"
same "once" "$(deliver "$b" /v1/inbox/git "$secret" 5f3c "$body" --hmac)" "200 True"
same "a wrong signature" "$(deliver "$b" /v1/inbox/git "$secret" 5f3d "$body" --hmac --bad | cut -d' ' -f1)" 401

# ---- five times at three peers at once

has_inbox () { on "$1" inbox show git >/dev/null 2>&1; }
until_true "carol has the inbox" has_inbox carol
until_true "anna has the inbox" has_inbox anna
for round in 1 2 3; do
    same "fifteen are taken, as one document" "$(deliver "$a,$b,$c" /v1/inbox/git "$secret" "at-$round" "$body" --hmac --five)" "15 15 1"
done
works "all is everywhere" on anna wait --all --timeout 20s
for name in anna bob carol; do
    until_true "five records at $name" eval "[ \"\$(on $name ls reviews | wc -l)\" = 5 ]"
    same "no conflicts at $name" "$(on "$name" conflicts reviews --json)" ""
done
works "remove" on carol inbox remove git
refuses "it is no more" 3 "saker inbox list" on carol inbox show git
stop anna bob carol
calm
finish
