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

mkdir "$work/anna/saker.conf"
on anna doctor >"$work/out" 2>"$work/err"
says config.unreadable "saker.conf.*next: run this as the user to whom the store belongs"
rmdir "$work/anna/saker.conf"

faker=$(find /usr/lib -name libfaketime.so.1 2>/dev/null | head -n 1)
if [ "$faker" ]; then
    LD_PRELOAD=$faker FAKETIME='2001-02-03 04:05:06' on anna doctor >"$work/out" 2>"$work/err"
    says clock.unset "is not set: it is years behind.*next: set it: timedatectl set-ntp true"
else
    skip "no libfaketime (package faketime)"
fi

# ---- network filesystems: the kernel's answer is made up, for each that the daemon refuses

cat >"$work/statfs.c" <<'C'
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
int statfs (const char *path, struct statfs *status)
{
    (void) path;
    memset (status, 0, sizeof *status);
    status->f_type = (unsigned int) strtoul (getenv ("STATFS_TYPE"), NULL, 0);
    return 0;
}
int statfs64 (const char *path, struct statfs64 *status) { return statfs (path, (struct statfs *) status); }
C
kinds=$(sed -n '/} refused\[\] = {/,/};/p' "$top/peer/folder.c" | grep -oE '0x[0-9a-f]+u, "[^"]+"' | sed 's/u, "/ /; s/"//')
if [ "$(wc -l <<<"$kinds")" -lt 10 ]; then not_ok "which filesystems are refused? $kinds"; fi
if ${CC:-gcc} -w -shared -fPIC "$work/statfs.c" -o "$work/statfs.so" 2>/dev/null; then
    while read -r type name; do
        refuses "doctor on $name" 1 "" env LD_PRELOAD="$work/statfs.so" STATFS_TYPE="$type" "$saker" --store "$work/anna" doctor
        says disk.network "lies on a network filesystem \($name\).*next: put the store on a disk of this machine"
        refuses "sakerd on $name" 1 "is on a network filesystem ($name)" \
            env LD_PRELOAD="$work/statfs.so" STATFS_TYPE="$type" "$sakerd" --store "$work/anna" --listen tcp://127.0.0.1:0 --no-beacon
    done <<<"$kinds"
    for type in 0xef53 0x9123683e 0x65735546; do # ext4, btrfs, FUSE of which nothing is known
        LD_PRELOAD=$work/statfs.so STATFS_TYPE=$type on anna doctor >"$work/out" 2>"$work/err"
        if grep -q 'disk.network' "$work/out"; then not_ok "type $type: $(cat "$work/out")"; else ok; fi
    done
else
    skip "nothing can be loaded before the library"
fi

if [ "$(id -u)" != 0 ] || ! command -v setpriv >/dev/null; then
    skip "not root: whose store it is, and a disk of one's own"
    finish
fi
chmod 711 "$work"
if setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$saker"; then
    refuses "the store of another user" 5 "" setpriv --reuid 65534 --regid 65534 --clear-groups env LD_LIBRARY_PATH="$LD_LIBRARY_PATH" "$saker" --store "$work/anna" doctor
    says key.unreadable "cannot be found \(Permission denied\).*next: run this as the user to whom the store belongs"
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
