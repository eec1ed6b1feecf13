#!/usr/bin/env bash
# Stops the clusters that demo, test and bench start; a half-started one too.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
for name in "${EAISER_DEMO_LAB:-lab}" "${EAISER_TEST_LAB:-test}" "${EAISER_TEST_LAB:-test}-fleet" "${EAISER_TEST_LAB:-test}-mongodb" "${EAISER_BENCH_LAB:-bench}"; do
	tests/lab/lab --name "$name" down
done
