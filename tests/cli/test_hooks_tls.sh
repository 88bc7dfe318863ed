#!/usr/bin/env bash
# Receivers by https: the certificate is checked, by the authority of a studio too; names are looked up, and the address
# is checked that is connected to; proxies of the environment are not used.
# shellcheck source=tests/cli/hooks.sh
. "${srcdir:-.}/tests/cli/hooks.sh"

if ! command -v openssl >/dev/null; then
    skip "no openssl"
    finish
fi
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" -days 2 \
    -subj /CN=studio -addext "subjectAltName = IP:127.0.0.1" 2>/dev/null || not_ok "openssl"
receive plain
bind="127.0.0.1 $work/cert.pem $work/key.pem" receive farm
farm=https://127.0.0.1:${ports[farm]}/hook

on anna init studio --as anna >/dev/null || not_ok "init"
sends anna
export http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9 ALL_PROXY=http://127.0.0.1:9
start anna
unset http_proxy https_proxy ALL_PROXY
works "a subscription by https" on anna hooks add farm "$farm" --collection shots --attempts 1
works "one by name" on anna hooks add name "http://localhost:${ports[plain]}/" --collection shots --attempts 1
until_true "somebody sends" has_owner anna farm
until_true "somebody sends" has_owner anna name
works "a change" on anna set shots/sq010 '{"title": "Dawn"}'
until_true "a certificate that nobody knows is refused" eval 'on anna hooks dead farm | grep -qi certificate'
until_true "a name is looked up" got_is plain "docs" "['sq010']"
same "nothing came" "$(got farm "len (g)")" 0
stop anna
echo "hooks-authority = $work/cert.pem" >>"$work/anna/saker.conf"
start anna
works "a change" on anna set shots/sq020 '{"title": "Dusk"}'
until_true "by the studio's authority it comes" got_is farm "docs" "['sq020']"
works "again" on anna hooks replay farm --since 1h
until_true "what was refused comes too" got_is farm "sorted (set (docs))" "['sq010', 'sq020']"

stop anna

# ---- a machine that has no certificates at all

sed -i '/^hooks-authority/d' "$work/anna/saker.conf"
printf '#!/bin/sh\nmount -t tmpfs none /etc/ssl/certs && exec "$@"\n' >"$work/without-certificates"
chmod +x "$work/without-certificates"
if unshare -m "$work/without-certificates" true 2>/dev/null; then
    launch anna unshare -m "$work/without-certificates" "$sakerd" --store "$work/anna" --listen tcp://127.0.0.1:0 --no-beacon
    works "a subscription by https" on anna hooks add bare "$farm" --collection takes --attempts 1
    until_true "somebody sends" has_owner anna bare
    works "a change" on anna set takes/t010 '{"good": true}'
    until_true "it is said what to install" eval 'on anna hooks dead bare | grep -q "install .*ca-certificates"'
    works "it goes" on anna hooks remove bare
    stop anna
else
    skip "nothing can be mounted here"
fi

# ---- a name that leads to an address that is not listed

sed -i 's|^hooks-allow = .*|hooks-allow = 10.0.0.0/8|' "$work/anna/saker.conf"
start anna
count=$(got plain "len (g)")
works "a change" on anna set shots/sq030 '{"title": "Noon"}'
until_true "the address behind the name counts" eval 'on anna hooks dead name | grep -q "is in no network of hooks-allow"'
same "nothing came" "$(got plain "len (g)")" "$count"
stop anna
refuses "a wrong network" 1 "hooks-allow" "$sakerd" --config <(echo "hooks-allow = 10.0.0.1/8") --check-config
calm
finish
