# shellcheck shell=bash disable=SC2034
# What the tests with networks of their own add to tests/cli/lib.sh: network namespaces joined by bridges, writers, kills.
# All links are made inside namespaces, so the machine's own interfaces are never touched; the names
# of the namespaces carry the process id. Everything goes with the test, whatever happens.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

spaces=()
declare -A hosts=() # the address of each space, the one of its last cable

clean_up ()
{
    local name
    end_processes
    for name in "${spaces[@]}"; do
        ip netns del "saker-$$-$name" 2>/dev/null
    done
    cd / && rm -rf "$work"
}

# need_spaces: skips the whole test where network namespaces cannot be made.
need_spaces ()
{
    local why=
    if [ "$(id -u)" != 0 ]; then why="not root"
    elif ! command -v ip >/dev/null; then why="no ip (package iproute2)"
    elif ! ip netns add "saker-$$-try" 2>/dev/null; then why="network namespaces cannot be made here"
    else
        ip -n "saker-$$-try" link add br0 type bridge 2>/dev/null || why="bridges cannot be made here"
        ip netns del "saker-$$-try"
    fi
    if [ "$why" ]; then
        skip "$why"
        finish
    fi
}

# space NAME...: new namespaces.
space ()
{
    local name
    for name in "$@"; do
        spaces+=("$name")
        works "namespace $name" ip netns add "saker-$$-$name"
        works "its loopback" ip -n "saker-$$-$name" link set lo up
    done
}

# bridge SPACE NAME
bridge ()
{
    works "bridge $2" ip -n "saker-$$-$1" link add "$2" type bridge forward_delay 0 mcast_snooping 0
    works "it is up" ip -n "saker-$$-$1" link set "$2" up
}

# cable SPACE INTERFACE ADDRESS SWITCH BRIDGE PORT: from a space to a bridge in the space SWITCH.
cable ()
{
    local space=saker-$$-$1 switch=saker-$$-$4
    works "cable of $1" ip -n "$space" link add "$2" type veth peer name "$6" netns "$switch"
    works "its one end" ip -n "$switch" link set "$6" master "$5" up
    works "its address" ip -n "$space" address add "$3/24" broadcast "${3%.*}.255" dev "$2"
    works "its other end" ip -n "$space" link set "$2" up
    hosts[$1]=$3
}

# trunk SWITCH BRIDGE PORT BRIDGE PORT: between two bridges of a space.
trunk ()
{
    works "trunk" ip -n "saker-$$-$1" link add "$3" type veth peer name "$5"
    works "its one end" ip -n "saker-$$-$1" link set "$3" master "$2" up
    works "its other end" ip -n "saker-$$-$1" link set "$5" master "$4" up
}

# plug SWITCH PORT up|down
plug () { works "$2 is $3" ip -n "saker-$$-$1" link set "$2" "$3"; }

# within SPACE COMMAND...
within ()
{
    local space=$1
    shift
    ip netns exec "saker-$$-$space" "$@"
}

# start_in SPACE NAME [OPTION]...: a daemon on the store NAME.
start_in ()
{
    local space=$1 name=$2
    shift 2
    launch "$name" ip netns exec "saker-$$-$space" "$sakerd" --store "$work/$name" "$@"
}

# start_at SPACE NAME [OPTION]...: so, at the address of the space and a port that only a beacon can tell.
start_at ()
{
    local space=$1 name=$2
    shift 2
    start_in "$space" "$name" --listen "tcp://${hosts[$space]}:0" --interface eth0 "$@"
}

# join SPACE NAME BY [OPTION]...: NAME becomes a member by a ticket of BY, asked for with the options;
# no daemon is started.
join ()
{
    local space=$1 name=$2 by=$3
    shift 3
    on "$by" invite "$@" | within "$space" "$saker" --store "$work/$name" join - --as "$name" --timeout 60s \
        >/dev/null || not_ok "join of $name"
}

# load NAME: a writer on the store NAME; each number in NAME.acks was acknowledged.
load ()
{
    : >"$work/$1.acks" # there before anybody counts
    "$build/tests/net/writer" "$work/$1" "$1" 600 >>"$work/$1.acks" 2>"$work/writer-$1.log" &
    pids[writer-$1]=$!
}

# more NAME COUNT: waits until so many more were acknowledged at NAME.
more ()
{
    local end=$((SECONDS + 60)) wanted
    wanted=$(($(wc -l <"$work/$1.acks") + $2))
    until [ "$(wc -l <"$work/$1.acks")" -ge "$wanted" ]; do
        if [ "$SECONDS" -ge "$end" ] || ! kill -0 "${pids[writer-$1]}" 2>/dev/null; then
            not_ok "nothing is acknowledged at $1 any more${seed:+ (SEED=$seed)}"
            finish
        fi
        read -r -t 0.01 <>"$work/.never"
    done
    ok
}

# unload NAME: ends the writer once nothing is in doubt.
unload ()
{
    kill -TERM "${pids[writer-$1]}"
    wait "${pids[writer-$1]}"
    same "the writer at $1" $? 0
    unset "pids[writer-$1]"
}

# slay NAME: kill -9 of its daemon.
slay ()
{
    local fd=${pipes[$1]}
    kill -KILL "${pids[$1]}"
    read -r -t "$ready_s" -u "$fd" _ # its stdout is closed when it has ended
    exec {fd}<&-
    unset "pids[$1]" "pipes[$1]"
}

# soon WHAT SECONDS COMMAND...: runs the command until it succeeds.
soon ()
{
    local what=$1 end=$((SECONDS + $2))
    shift 2
    until "$@" >"$work/out" 2>"$work/err"; do
        if [ "$SECONDS" -ge "$end" ]; then
            not_ok "$what: $(head -c 400 "$work/out" "$work/err")"
            return 1
        fi
        read -r -t 0.05 <>"$work/.never"
    done
    ok
}
[ -p "$work/.never" ] || mkfifo "$work/.never"

# knows NAME EXPRESSION: something about the status of a peer, as in json.
knows ()
{
    [ "$(on "$1" status --json | json "$2")" = True ]
}

# equal WHAT COLLECTION NAME...: all exports are the same bytes, and some.
equal ()
{
    local what=$1 collection=$2 first=$3 name
    shift 2
    on "$first" export "$collection" >"$work/$first.export" || not_ok "$what: export at $first"
    [ -s "$work/$first.export" ] || not_ok "$what: nothing at $first"
    for name in "${@:2}"; do
        if on "$name" export "$collection" | cmp -s - "$work/$first.export"; then ok; else
            not_ok "$what: $collection differs at $name"; fi
    done
}
