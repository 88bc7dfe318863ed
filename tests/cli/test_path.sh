#!/usr/bin/env bash
# Two people test the path between two machines, with nothing else running: here both on 127.0.0.1.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

# listen NAME WORD...: a saker listen in the background; its first line is in $line, its port in $port.
listen ()
{
    local name=$1 fd
    shift
    exec {fd}< <(exec "$saker" listen "$@" 2>"$work/$name.log")
    pids[$name]=$!
    pipes[$name]=$fd
    read -r -t "$ready_s" -u "$fd" line || not_ok "listen $*: $(cat "$work/$name.log")"
    port=${line##*:}
}
# ends NAME STATUS: the listener ends by itself.
ends ()
{
    local status
    said=$(cat <&"${pipes[$1]}")
    wait "${pids[$1]}"
    status=$?
    same "$1 ends" "$status" "$2"
    unset "pids[$1]" "pipes[$1]"
}

export SAKER_STORE=$work/none # no store is needed
listen one tcp://127.0.0.1:0 --count 1
if [[ $line == "listening on 127.0.0.1:$port; on the other machine: saker dial tcp://ADDR:$port" ]]; then ok; else not_ok "listen says: $line"; fi
works "dial" "$saker" dial "tcp://127.0.0.1:$port"
for words in "^reached: 127.0.0.1:$port from 127.0.0.1:" "^round trip: " "^1 MiB each way: " "^the next port is " "^UDP: 5 of 5 datagrams"; do
    if grep -q "$words" "$work/out"; then ok; else not_ok "dial lacks $words: $(cat "$work/out")"; fi
done
ends one 0
if [[ $said == "127.0.0.1:"*" reached this machine, and was answered" ]]; then ok; else not_ok "listen says: $said"; fi
refuses "nobody listens any more" 13 "refused: the machine is there, but nothing listens" "$saker" dial "127.0.0.1:$port"

listen two '[::1]:0' --count 2 --json
port=$(json "j['listening']" <<<"$line" | sed 's/.*://')
same "dial --json" "$("$saker" dial "[::1]:$port" --json | json "j['answers'], j['datagrams'], j['rtt_ms'] >= 0, j['there_bytes_s'] > 0")" \
    "('listen', 5, True, True)"
exec {plain}<>"/dev/tcp/::1/$port" || not_ok "connect" # one who says nothing of ours
echo nonsense >&"$plain"
ends two 0
same "what it was told" "$(json "'caller' in j, j['requests'] > 5" <<<"$(head -n 1 <<<"$said")")" "(True, True)"
same "and of the other" "$(json "j['requests']" <<<"$(tail -n 1 <<<"$said")")" 0
exec {plain}<&-

refuses "nobody calls" 12 "nobody called in time" "$saker" listen tcp://127.0.0.1:0 --timeout 200ms
listen three tcp://127.0.0.1:0
refuses "the port is taken" 9 "port $port is in use" "$saker" listen "tcp://127.0.0.1:$port"
kill "${pids[three]}"
ends three 143
refuses "no address of this machine" 1 "cannot listen" "$saker" listen tcp://192.0.2.1:5677
refuses "no address at all" 2 "is no address" "$saker" dial 'tcp://a b:1'
refuses "no port" 2 "is no address" "$saker" dial 127.0.0.1:99999
refuses "IPv6 without brackets" 2 "is no address" "$saker" dial ::1
refuses "a name that is none" 3 "cannot be looked up" "$saker" dial name.invalid
refuses "a word too few" 2 "usage: saker dial" "$saker" dial
refuses "a wrong count" 2 "is no number" "$saker" listen --count x

# ---- others that listen

unset SAKER_STORE
found anna
works "a sakerd is recognised" "$saker" dial "${addresses[anna]}"
if grep -q "a sakerd answers there" "$work/out"; then ok; else not_ok "dial of a sakerd: $(cat "$work/out")"; fi
same "also as JSON" "$("$saker" dial "${addresses[anna]}" --json | json "j['answers']")" sakerd
works "which is none the worse" on anna set shots/a /n 1
exec {web}< <(exec python3 -u -c 'import http.server as h
s = h.HTTPServer (("127.0.0.1", 0), h.SimpleHTTPRequestHandler)
print (s.server_port)
s.serve_forever ()' 2>/dev/null)
pids[web]=$!
read -r -t 20 -u "$web" port
refuses "a web server" 1 "neither saker listen nor a sakerd" "$saker" dial "127.0.0.1:$port"
stop anna
finish
