#!/usr/bin/env bash
# One file for support: all that is needed in it, and no secret: no bytes of a key, no ticket, no document.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

found anna
ticket=$(on anna invite)
on bob join "$ticket" --as bob >/dev/null || not_ok "join"
start bob
works "a document" on anna set shots/secret-id /text '"a secret text"'
works "everywhere" on anna wait --all --timeout 60s
spare=$(on anna invite)
printf 'seed = tcp://10.1.2.3:5677\nbeacon = no\ngateway-listen = unix\n' >"$work/anna/saker.conf"
printf 'a line\nsomebody pasted %s here\n\xff\xfe not UTF-8\nthe end\n' "$spare" >"$work/log"

works "bundle" on anna bundle "$work/bundle" --log "$work/log"
if grep -q "no keys, no tickets, no documents" "$work/out"; then ok; else not_ok "bundle says: $(cat "$work/out")"; fi
same "its rights" "$(stat -c %a "$work/bundle")" 600
same "what is in it" "$(json "sorted (j)" <"$work/bundle")" \
    "['bundle', 'config', 'files', 'findings', 'keys', 'links', 'log', 'logs', 'looked', 'machine', 'made', 'status', 'trends', 'version']"
same "of the mesh" "$(json "j['status']['mesh']['members'], sorted (l['name'] for l in j['links']), [s['value'] for s in j['config'] if s['key'] in ('seed', 'gateway-listen')]" <"$work/bundle")" \
    "(2, ['anna', 'bob'], ['tcp://10.1.2.3:5677', 'unix'])"
same "the log, without tickets" "$(json "j['log'][0], j['log'][-1], 'saker1-***' in j['log'][1]" <"$work/bundle")" "('a line', 'the end', True)"
refuses "once more" 4 "such a file already" on anna bundle "$work/bundle"
refuses "no log" 3 "open $work/nothing" on anna bundle "$work/other" --log "$work/nothing"
if [ -e "$work/other" ]; then not_ok "a bundle is left"; else ok; fi
refuses "no folder" 16 "No such file" on anna bundle "$work/no/bundle"
works "to stdout" on anna bundle -
if json "j['bundle']" <"$work/out" >/dev/null; then ok; else not_ok "stdout: $(head -c 200 "$work/out")"; fi
same "--json" "$(on anna bundle "$work/json" --json | json "sorted (j)")" "['bytes', 'file']"

# no eight bytes of the key file (as they are, in digits, in base64), nothing of tickets or documents
leaks ()
{
    python3 - "$1" "$work/anna/device.key" "$ticket" "$spare" <<'P'
import base64, sys
text = open (sys.argv[1], 'rb').read ()
key = open (sys.argv[2], 'rb').read ()
found = [w for w in (b'a secret text', b'secret-id') if w in text]
for at in range (16, len (key) - 7): # behind the file's own mark
    part = key[at:at + 8]
    for form in (part, part.hex ().encode (), part.hex ().upper ().encode (), base64.b64encode (part)[:10], base64.urlsafe_b64encode (part)[:10]):
        if form in text and part != bytes (8):
            found.append ((at, form))
for ticket in sys.argv[3:]:
    words = ticket.strip ()[7:]
    found += [words[i:i + 12] for i in range (len (words) - 12) if words[i:i + 12].encode () in text]
print (found)
P
}
same "no secret" "$(leaks "$work/bundle")" "[]"
on anna status --all >"$work/all"
same "nor in the status" "$(leaks "$work/all")" "[]"
cat "$work/anna/device.key" >>"$work/all"
if [ "$(leaks "$work/all")" = "[]" ]; then not_ok "a leak is not seen"; else ok; fi

stop anna
works "without a daemon" on anna bundle "$work/down"
same "what is in it then" "$(json "[f['code'] for f in j['findings']], 'status' in j" <"$work/down")" "(['daemon.down', 'seed.silent'], False)"
finish
