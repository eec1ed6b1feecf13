#!/usr/bin/env bash
# make bench: measures a release build of the operator on a lab of its own.
#
#   tests/bench.sh             everything
#   tests/bench.sh costs       creation, burst, drift, memory, CPU, size
#   tests/bench.sh memory      memory and CPU at 100 and 500 clusters alone
#   tests/bench.sh settled     five minutes at rest: one cluster on real pods, 100 on simulated nodes
#
# Raw numbers go to target/measurements/. Close to idle, the machine gives the steadiest figures; the
# goals are ratios to a replay that runs beside the operator, so they hold on any machine.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

export EAISER_LAB=${EAISER_BENCH_LAB:-bench}
lab() { tests/lab/lab --name "$EAISER_LAB" "$@"; }
measure() {
	KUBECONFIG=$(lab kubeconfig) EAISER_BENCH=1 cargo test --quiet --test cluster "$1" -- --include-ignored --exact --nocapture --test-threads 1
}
down() { lab down >/dev/null 2>&1 || true; }

case ${1:-all} in all | costs | memory | settled) ;; *) sed -n '2,10s/^# \{0,1\}//p' "$0" && exit 2 ;; esac
trap 'echo "interrupted; clean up with: make clean-lab" >&2; exit 130' INT TERM
command -v cargo >/dev/null || { echo "bench: Rust is not installed (https://rustup.rs)" >&2; exit 1; }

cargo build --release --bin eaiser
EAISER_OPERATOR_BINARY=$PWD/${CARGO_TARGET_DIR:-target}/release/eaiser
export EAISER_OPERATOR_BINARY
trap down EXIT
costs=bench::what_the_operator_costs
[ "${1:-all}" != memory ] || costs=bench::what_the_operator_holds_in_memory
if [ "${1:-all}" != settled ]; then
	down
	lab up --nodes 1
	measure $costs
	down
fi
if [ "${1:-all}" = all ] || [ "$1" = settled ]; then
	export EAISER_SETTLED_SECONDS=${EAISER_SETTLED_SECONDS:-300}
	lab up --nodes 3
	lab image load nginx redis backend mongod
	measure quiet::a_settled_cluster_causes_no_request_and_a_restart_no_write
	down
	lab up --nodes 1 --simulated 30
	EAISER_THOROUGH=1 measure settled::a_fleet_that_waits_causes_no_request_and_a_restart_no_write
fi
