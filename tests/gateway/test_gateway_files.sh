#!/usr/bin/env bash
# The files of the page, as they are served.
# shellcheck source=tests/gateway/lib.sh
. "${srcdir:-.}/tests/gateway/lib.sh"
run files
