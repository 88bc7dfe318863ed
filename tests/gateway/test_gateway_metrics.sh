#!/usr/bin/env bash
# What Prometheus reads from the gateway, the alerts of docs, and health.
# shellcheck source=tests/gateway/lib.sh
. "${srcdir:-.}/tests/gateway/lib.sh"
run metrics
