#!/usr/bin/env bash
# A mesh of three under steady load: memory, descriptors and file size over time, as soak.csv and soak.svg in the
# build folder. Fails when memory or descriptors of a daemon grow on and on.
#   MINUTES=n soak.sh
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"
minutes=${MINUTES:-10}
found anna
admit bob anna
admit carol anna
csv=$build/soak.csv
echo "seconds,peer,own_kib,descriptors,store_kib,changes" >"$csv"
for name in anna bob carol; do
    "$build/tests/net/writer" "$work/$name" "$name" $((minutes * 60 + 30)) >"$work/$name.acks" 2>"$work/writer-$name.log" &
    pids[writer-$name]=$!
done
start_s=$SECONDS
disown -a
while [ $((SECONDS - start_s)) -lt $((minutes * 60)) ]; do
    for name in anna bob carol; do
        pid=${pids[$name]}
        if ! kill -0 "$pid" 2>/dev/null; then not_ok "$name has ended"; finish; fi
        pss=$(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup")
        anon=$(awk '/^Pss_Anon:/ { print $2 }' "/proc/$pid/smaps_rollup")
        files=$(find "/proc/$pid/fd" -mindepth 1 | wc -l)
        size=$(du -k "$work/$name/data.mdb" | cut -f1)
        changes=$(cat "$work"/*.acks | wc -l)
        echo "$((SECONDS - start_s)),$name,${anon:-$pss},$files,$size,$changes" >>"$csv"
    done
    sleep 2
done
for name in anna bob carol; do kill -KILL "${pids[writer-$name]}" 2>/dev/null; unset "pids[writer-$name]"; done
for name in anna bob carol; do works "all has arrived from $name" on "$name" wait --all --timeout 60s; done

# own memory (Pss_Anon; the map of the store is the page cache's), descriptors, and the file's bytes a change (its log
# grows as long as nothing is cut off): the last quarter against the second
awk -F, -v minutes="$minutes" 'NR > 1 { n[$2]++; pss[$2, n[$2]] = $3; fds[$2, n[$2]] = $4; each[$2, n[$2]] = $6 ? 1024 * $5 / $6 : 0; all = $6 }
END {
    for (p in n) {
        q = int(n[p] / 4); a = b = c = d = e = f = 0
        for (i = q + 1; i <= 2 * q; i++) { a += pss[p, i] / q; c += fds[p, i] / q; e += each[p, i] / q }
        for (i = n[p] - q + 1; i <= n[p]; i++) { b += pss[p, i] / q; d += fds[p, i] / q; f += each[p, i] / q }
        printf "%s: own memory %.0f to %.0f KiB, descriptors %.1f to %.1f, store %.0f to %.0f bytes a change\n", p, a, b, c, d, e, f
        if (b > a * 1.25 + 2048 || d > c * 1.25 + 4 || f > e * 1.25 + 64) { printf "not ok: %s grows\n", p; bad = 1 }
    }
    printf "%d changes in all\n", all
    exit bad
}' "$csv" && ok || not_ok "something grows"

awk -F, 'NR > 1 { t = $1; if (t > tmax) tmax = t; for (k = 3; k <= 5; k++) { v[k, NR] = $k; if ($k > max[k]) max[k] = $k } time[NR] = t; who[NR] = $2; rows = NR }
END {
    split("own memory KiB|descriptors|store KiB", title, "|"); color["anna"] = "#c33"; color["bob"] = "#36c"; color["carol"] = "#393"
    print "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\" height=\"630\" font-family=\"sans-serif\" font-size=\"12\">"
    for (k = 3; k <= 5; k++) {
        top = 20 + (k - 3) * 205
        printf "<text x=\"60\" y=\"%d\">%s (most: %d)</text><rect x=\"60\" y=\"%d\" width=\"640\" height=\"160\" fill=\"none\" stroke=\"#999\"/>\n", top, title[k - 2], max[k], top + 8
        for (p in color) {
            points = ""
            for (r = 2; r <= rows; r++) if (who[r] == p) points = points sprintf("%.1f,%.1f ", 60 + 640 * time[r] / (tmax + 1), top + 168 - 160 * v[k, r] / (max[k] + 1))
            printf "<polyline fill=\"none\" stroke=\"%s\" points=\"%s\"/>\n", color[p], points
        }
    }
    printf "<text x=\"60\" y=\"625\">%d s; anna red, bob blue, carol green</text></svg>\n", tmax
}' "$csv" >"$build/soak.svg"
echo "plot: $build/soak.svg, figures: $csv"
finish
