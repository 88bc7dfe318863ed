#!/usr/bin/env bash
# The gateway's page in a headless Chromium.
# shellcheck source=tests/gateway/lib.sh
. "${srcdir:-.}/tests/gateway/lib.sh"
if ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null; then
    echo "skipped: the page in a browser: there is no chromium (Debian's package of this name)"
    echo "0 passed, 0 failed, 1 skipped"
    exit 77
fi
run page
