#!/usr/bin/env bash
# Tokens, web pages, and a table of hostile requests.
# shellcheck source=tests/gateway/lib.sh
. "${srcdir:-.}/tests/gateway/lib.sh"
run access
