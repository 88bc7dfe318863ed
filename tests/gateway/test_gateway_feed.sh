#!/usr/bin/env bash
# Changes: pages, long polls, server-sent events, gaps, readers that stop.
# shellcheck source=tests/gateway/lib.sh
. "${srcdir:-.}/tests/gateway/lib.sh"
run feed
