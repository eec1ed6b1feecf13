#!/usr/bin/env bash
# make test: every stage with its time; goes on after a failure and names what failed at the end.
#
#   tests/run.sh           everything
#   tests/run.sh --fast    what needs no cluster and builds none
#   tests/run.sh STAGE…    only these stages, such as `lint unit`
#
# With KUBECONFIG set the cluster tests use that cluster and skip, by name, what needs the lab.
set -uo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

export INSTA_UPDATE=no
lab_name=${EAISER_TEST_LAB:-test}
started=$SECONDS
results=()
again=()
tried_again_at_most=5
failed=0
skipped=0

if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
lab() { tests/lab/lab --name "$lab_name" "$@"; }

stage() {
	local name=$1
	shift
	if [ ${#wanted[@]} -gt 0 ] && [[ " ${wanted[*]} " != *" $name "* ]]; then return; fi
	printf '\n%s[%4ds] %s%s\n' "$bold" $((SECONDS - started)) "$name" "$plain"
	local begin=$SECONDS
	if "$@"; then
		results+=("passed   $((SECONDS - begin))s  $name")
	else
		results+=("FAILED   $((SECONDS - begin))s  $name")
		failed=$((failed + 1))
	fi
}

packages() {
	local missing=()
	command -v redis-server >/dev/null || missing+=(redis-server)
	command -v nsenter >/dev/null || missing+=(util-linux)
	command -v curl >/dev/null || missing+=(curl)
	[ ${#missing[@]} -eq 0 ] && return
	# A policy that forbids starting services: the tests start their own servers.
	printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
	local status=$?
	rm -f /usr/sbin/policy-rc.d
	return $status
}

lint() {
	cargo fmt --check && cargo clippy --all-targets --quiet -- -D warnings || return
	# Broken links in the documentation of the code are warnings, which count as errors here.
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --quiet
}

unit() {
	cargo test --lib --bins
}

integration() {
	cargo test --test it
}

databases() { # the drivers against real servers on loopback
	local mongod
	mongod=${MONGOD:-$(mongod_binary)} || return
	echo "mongod under test: $mongod"
	MONGOD=$mongod cargo test --lib live_test -- --ignored --test-threads 1
}

mongod_binary() { # the stand-in, built into a folder of the target
	local out=$PWD/${CARGO_TARGET_DIR:-target}/mongod-standin/mongod
	(cd tests/lab/mongod-standin && CGO_ENABLED=0 go build -trimpath -o "$out" .) && echo "$out"
}

lab_code() {
	local module
	for module in tests/lab tests/lab/mongod-standin tests/kstatus; do
		(cd $module && [ -z "$(gofmt -l .)" ] && go vet ./... && go test ./...) || return
	done
}

conformance() {
	make mongo-conformance
}

backend() {
	examples/backend/run-tests.sh -q
}

chart() {
	tests/lab/lab build >/dev/null && lab helm lint --strict --quiet charts/eaiser-operator
}

rules() { # rules and their cases, read by the real promtool
	local folder=$PWD/${CARGO_TARGET_DIR:-target}/rules failed=0 cases
	rm -rf "$folder" && mkdir -p "$folder" && cp tests/rules/*.yaml charts/eaiser-operator/files/operator-rules.yaml "$folder" || return
	cargo run --quiet -- plan -f examples/production.yaml -o json | python3 -c '
import json, sys
objects = json.load(sys.stdin)[0]["objects"]
rules = [o for o in objects if o["kind"] == "ConfigMap" and o["metadata"]["name"].endswith("-rules")]
print(rules[0]["data"]["rules.yaml"])' >"$folder/rules.yaml" || return
	promtool "$folder" check rules /rules/rules.yaml /rules/operator-rules.yaml || return
	for cases in tests/rules/*.yaml; do
		echo "cases of $(basename "$cases"): $(grep -c '  - name:' "$cases")"
		promtool "$folder" test rules "/rules/$(basename "$cases")" || failed=1
	done
	return $failed
}

promtool() { # FOLDER ARGUMENTS…; the folder is shown as /rules
	tests/lab/lab image exec --mount "$1:/rules" prometheus -- promtool "${@:2}"
}

hostile() { # hostile texts, read by the real nginx, redis and promtool
	tests/lab/lab image build nginx redis prometheus >/dev/null &&
		cargo test --test it hostile -- --include-ignored --nocapture
}

cluster_up() {
	# The binary the other stages built, without its debug information: a release build would take
	# minutes more and test the same code.
	local target=${CARGO_TARGET_DIR:-target}
	cargo build --bin eaiser && mkdir -p "$target/lab" || return
	strip -o "$target/lab/eaiser" "$target/debug/eaiser" || return
	lab up && lab image load --operator-binary "$target/lab/eaiser" && previous_operator
}

# Commit of the version before, from which the upgrade test upgrades; its chart is in tests/data/upgrade.
previous_version=cbfd32e

previous_operator() { # its image, made from the repository's history
	local target=$PWD/${CARGO_TARGET_DIR:-target}
	local source=$target/previous
	if ! git cat-file -e "$previous_version:src" 2>/dev/null; then
		echo "skipped: an upgrade from the version before needs commit $previous_version, which this clone has not"
		return
	fi
	rm -rf "$source" && mkdir -p "$source" &&
		git archive "$previous_version" Cargo.toml Cargo.lock src | tar -x -C "$source" || return
	# A name of its own, so that the two versions share the build of their dependencies.
	sed -i '/^\[\[bin\]\]/,/^$/s/^name = .*/name = "eaiser-previous"/' "$source/Cargo.toml" || return
	CARGO_TARGET_DIR=$target cargo build --quiet --manifest-path "$source/Cargo.toml" --bin eaiser-previous &&
		strip -o "$target/lab/eaiser-previous" "$target/debug/eaiser-previous" &&
		lab image load operator --operator-binary "$target/lab/eaiser-previous" --operator-tag previous &&
		export EAISER_PREVIOUS_OPERATOR_IMAGE=localhost/eaiser/operator:previous
}

# Scenarios that change what all namespaces share, or measure seconds; the others have namespaces and
# operators of their own and mostly wait, so several run at a time.
alone=(chart:: leader:: loops:: mongodb_survival:: monitoring:: pod_loss:: protection:: quiet:: ready:: rights:: unreadable::)
# Needs simulated nodes, and a lab of its own whose real ones stay empty.
fleet=settled::
last=rights::no_operator

scenarios() { # THREADS FILTERS…
	local log status
	log=$(mktemp) || return
	EAISER_LAB=$lab_name KUBECONFIG=$(lab kubeconfig) \
		cargo test --test cluster -- --ignored --test-threads "$1" --skip $last --skip $fleet "${@:2}" | tee "$log"
	status=${PIPESTATUS[0]}
	[ "$status" -eq 0 ] || { second_try "$log" && status=0; }
	rm -f "$log"
	return "$status"
}

# A scenario is about seconds on a real cluster that shares two processors with everything else. A few
# that failed are tried once more, alone; the summary names them, whatever comes of it.
second_try() { # LOG
	local name names status=0
	names=$(sed -n 's/^    \([a-z_]*::[a-z0-9_:]*\)$/\1/p' "$1" | sort -u)
	[ -n "$names" ] && [ "$(wc -l <<<"$names")" -le $tried_again_at_most ] || return
	for name in $names; do
		printf '\nsecond try, alone: %s\n' "$name"
		if EAISER_LAB=$lab_name KUBECONFIG=$(lab kubeconfig) \
			cargo test --test cluster -- --ignored --test-threads 1 --exact "$name"; then
			again+=("failed at first, passed alone  $name")
		else
			again+=("failed twice                   $name")
			status=1
		fi
	done
	return $status
}

cluster() {
	scenarios 2 "${alone[@]/#/--skip=}"
}

cluster_alone() {
	scenarios 1 "${alone[@]}"
}

fleet() {
	local name=$lab_name-fleet status=0
	tests/lab/lab --name "$name" up --nodes 1 --simulated 10 || return
	EAISER_LAB=$name KUBECONFIG=$(tests/lab/lab --name "$name" kubeconfig) \
		cargo test --test cluster $fleet -- --ignored || status=1
	tests/lab/lab --name "$name" down && return $status
}

endurance() { # every crash point, every fault, every round, on a lab that is up
	EAISER_THOROUGH=1 scenarios 1 crash:: faults:: leader::
}

mongodb() { # every scenario about MongoDB in full, on a lab of its own, with the mongod of $MONGOD where there is one
	local name=$lab_name-mongodb status=0
	tests/lab/lab --name "$name" up --nodes 3 &&
		tests/lab/lab --name "$name" image load nginx redis backend mongod || return
	echo "MongoDB under test: $(tests/lab/lab --name "$name" image mongod-name)"
	EAISER_THOROUGH=1 EAISER_LAB=$name KUBECONFIG=$(tests/lab/lab --name "$name" kubeconfig) \
		cargo test --test cluster mongodb_ -- --ignored --test-threads 1 || status=1
	[ -n "${EAISER_KEEP_LAB:-}" ] || tests/lab/lab --name "$name" down
	return $status
}

refusals() { # over everything the scenarios did
	EAISER_LAB=$lab_name KUBECONFIG=$(lab kubeconfig) cargo test --test cluster $last -- --ignored
}

external_cluster() {
	cargo test --test cluster -- --ignored --test-threads 1
}

cluster_down() {
	[ -n "${EAISER_KEEP_LAB:-}" ] || lab down
}

fast=
wanted=()
for argument in "$@"; do
	case $argument in
	--fast) fast=1 ;;
	-h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0" && exit ;;
	*) wanted+=("$argument") ;;
	esac
done
trap 'echo "interrupted; clean up with: make clean-lab" >&2; exit 130' INT TERM

stage packages packages
stage lint lint
stage unit unit
stage integration integration
stage databases databases
stage lab-code lab_code
stage conformance conformance
stage backend backend
stage rules rules
stage hostile hostile
[[ " ${wanted[*]-} " != *" mongodb "* ]] || stage mongodb mongodb
if [ -n "$fast" ]; then
	results+=("skipped  0s  cluster (asked for --fast)")
	skipped=$((skipped + 1))
elif [ -n "${KUBECONFIG:-}" ]; then
	stage cluster external_cluster
else
	stage cluster-up cluster_up
	stage chart chart
	stage cluster cluster
	stage cluster-alone cluster_alone
	[[ " ${wanted[*]-} " != *" endurance "* ]] || stage endurance endurance
	stage refusals refusals
	stage cluster-down cluster_down
	stage fleet fleet
fi

printf '\n%s' "$bold"
echo "stages, $((SECONDS - started)) s in all$plain"
printf '  %s\n' "${results[@]}"
[ ${#again[@]} -eq 0 ] || printf '  %s\n' "${again[@]}"
echo "stages: $((${#results[@]} - failed - skipped)) passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
