#!/usr/bin/env bash
# Documents as resources: preconditions, patches, batches, repeats.
# shellcheck source=tests/gateway/lib.sh
. "${srcdir:-.}/tests/gateway/lib.sh"
run documents
