#!/usr/bin/env bash
# Rivals of two peers: seen, listed and settled through the gateway.
# shellcheck source=tests/gateway/lib.sh
. "${srcdir:-.}/tests/gateway/lib.sh"
run conflicts
