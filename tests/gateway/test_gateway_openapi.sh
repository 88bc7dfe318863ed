#!/usr/bin/env bash
# openapi.json is valid, and says what the gateway does.
# shellcheck source=tests/gateway/lib.sh
. "${srcdir:-.}/tests/gateway/lib.sh"
run openapi
