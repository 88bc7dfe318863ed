#!/usr/bin/env bash
# What saker doctor finds of a store that nobody has open: a damaged key, another owner, a disk that takes no more files.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

on anna init studio --as anna >/dev/null || not_ok "init"
# says CODE WORDS: doctor found it, and tells what to do
says ()
{
    if grep -A1 "\[$1\]$" "$work/out" | tr '\n' ' ' | grep -qE -- "$2"; then ok; else not_ok "$1: $(cat "$work/out" "$work/err")"; fi
}

cp -r "$work/anna" "$work/empty"
: >"$work/empty/device.key"
refuses "an empty key" 10 "" on empty doctor
says key.damaged "is empty, or no file.*next: bring the store back from a backup: saker restore FILE"
rm "$work/empty/device.key" && mkdir "$work/empty/device.key" && chmod 700 "$work/empty/device.key"
refuses "a folder for a key" 10 "" on empty doctor
says key.damaged "is empty, or no file"

if [ "$(id -u)" != 0 ] || ! command -v setpriv >/dev/null; then
    skip "not root: whose store it is, and a disk of one's own"
    finish
fi
chmod 711 "$work"
if setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$saker"; then
    refuses "the store of another user" 5 "" setpriv --reuid 65534 --regid 65534 --clear-groups env LD_LIBRARY_PATH="$LD_LIBRARY_PATH" "$saker" --store "$work/anna" doctor
    says store.owner "belongs to another user \(number 0\).*next: run saker and sakerd as the user to whom the store belongs"
else
    skip "another user cannot run what is built here"
fi

mkdir -m 700 "$work/small"
if unshare --mount --propagation private bash -c "mount -t tmpfs -o size=600m,nr_inodes=12,mode=700 none '$work/small' && cp -a '$work/anna/.' '$work/small/' || exit 77
    while : 2>/dev/null >'$work/small/'\$RANDOM\$RANDOM; do :; done 2>/dev/null
    '$saker' --store '$work/small' doctor >'$work/out' 2>'$work/err'; echo \$? >'$work/status'"; then
    says disk.inodes "takes no more files.*next: remove files there"
else
    skip "no disk of one's own can be mounted here"
fi
finish
