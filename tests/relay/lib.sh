# shellcheck shell=bash
# What the relay's tests share: N daemons, each in a namespace of its own, and the relay between them.
# shellcheck source=tests/net/lib.sh
. "${srcdir:-.}/tests/net/lib.sh"

# relayed COUNT: a mesh of p1 ... pCOUNT; the relay listens to relay_in and answers at relay_out.
relayed ()
{
    local count=$1 i k ticket line
    for ((i = 1; i <= count; i++)); do
        space "p$i"
        for ((k = 1; k <= count; k++)); do
            ip -n "saker-$$-p$i" address add "10.9.0.$k/32" dev lo || not_ok "address $k of p$i"
        done
    done
    mkfifo "$work/relay.in" "$work/relay.out"
    "$build/tests/relay/relay" "saker-$$-p" "$count" <"$work/relay.in" >"$work/relay.out" 2>"$work/relay.log" &
    pids[relay]=$!
    disown $!
    exec {relay_in}>"$work/relay.in" {relay_out}<"$work/relay.out"
    read -r -t "$ready_s" -u "$relay_out" line && [ "$line" = ok ] || { not_ok "the relay does not start"; finish; }
    works "the mesh" on p1 init studio --as p1
    start_in p1 p1 --listen tcp://10.9.0.1:5677 --no-beacon
    for ((i = 2; i <= count; i++)); do
        ticket=$(on p1 invite) || not_ok "invite: p$i"
        printf '%s' "$ticket" | within "p$i" "$saker" --store "$work/p$i" join - --as "p$i" >"$work/out" 2>&1 \
            || not_ok "join p$i: $(cat "$work/out")"
        start_in "p$i" "p$i" --listen "tcp://10.9.0.$i:5677" --no-beacon --seed tcp://10.9.0.1:5677
    done
}
