#!/usr/bin/env bash
# make demo: from nothing to a serving cluster, each step with its elapsed time.
#
# With KUBECONFIG set it uses that cluster and starts no lab; the images below must then be ones
# that its nodes can get: EAISER_OPERATOR_IMAGE, EAISER_BACKEND_IMAGE, EAISER_GATEWAY_IMAGE,
# EAISER_MONGODB_IMAGE, EAISER_REDIS_IMAGE.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

lab_name=${EAISER_DEMO_LAB:-lab}
namespace=${EAISER_DEMO_NAMESPACE:-eaiser-demo}
system=eaiser-system
port=${EAISER_DEMO_PORT:-18000}
started=$SECONDS
program=${CARGO_TARGET_DIR:-target}/release/eaiser
forward_pid=

if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
step() { printf '%s[%4ds] %s%s\n' "$bold" $((SECONDS - started)) "$*" "$plain"; }
lab() { tests/lab/lab --name "$lab_name" "$@"; }
finish() {
	status=$?
	[ -z "$forward_pid" ] || kill "$forward_pid" 2>/dev/null || true
	if [ $status -ne 0 ]; then
		echo "demo: stopped with exit code $status; run it again, or clean up with: make clean-lab" >&2
	fi
}
trap finish EXIT
trap 'exit 130' INT TERM

if [ -n "${KUBECONFIG:-}" ]; then
	step "KUBECONFIG is set: using that cluster ($KUBECONFIG); skipped: starting a lab, building images"
else
	command -v cargo >/dev/null || { echo "demo: Rust is not installed (https://rustup.rs)" >&2; exit 1; }
	step "build the operator (first time: about 8 minutes)"
	cargo build --release
	step "start a real three-node Kubernetes cluster (first time: about 15 minutes of building it)"
	lab up
	KUBECONFIG=$(lab kubeconfig)
	export KUBECONFIG
	step "build the images and load them into the nodes (first time: about 6 minutes)"
	lab image load --operator-binary "$program"
fi
mongodb_image=${EAISER_MONGODB_IMAGE:-$(tests/lab/lab image mongod-name 2>/dev/null)}
kubectl() { tests/lab/lab kubectl --kubeconfig "$KUBECONFIG" "$@"; }
helm() { tests/lab/lab helm --kubeconfig "$KUBECONFIG" "$@"; }

step "install the operator from its chart"
operator_image=${EAISER_OPERATOR_IMAGE:-localhost/eaiser/operator:dev}
kubectl create namespace $system --dry-run=client -o yaml | kubectl apply -f - >/dev/null
kubectl label --overwrite namespace $system pod-security.kubernetes.io/enforce=restricted >/dev/null
# The tag of a locally built image stays the same, so a new build needs a new pod.
helm upgrade --install --take-ownership eaiser-operator charts/eaiser-operator --namespace $system \
	--set image.repository="${operator_image%:*}" --set image.tag="${operator_image##*:}" \
	--set-string podAnnotations.demo-started="$(date +%s)" \
	--set images.gateway="${EAISER_GATEWAY_IMAGE:-localhost/eaiser/nginx:1.30}" \
	--set images.mongodb="$mongodb_image" \
	--set images.redis="${EAISER_REDIS_IMAGE:-localhost/eaiser/redis:8.0}" >/dev/null
kubectl --namespace $system rollout status deployment/eaiser-operator --timeout=120s

step "apply examples/eaiser.yaml in namespace $namespace"
kubectl create namespace "$namespace" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
kubectl label --overwrite namespace "$namespace" pod-security.kubernetes.io/enforce=restricted >/dev/null
sed "s#localhost/eaiser/backend:dev#${EAISER_BACKEND_IMAGE:-localhost/eaiser/backend:dev}#" examples/eaiser.yaml |
	kubectl --namespace "$namespace" apply -f -

step "wait for Ready"
applied=$SECONDS
until kubectl --namespace "$namespace" wait eac/eaiser --for=condition=Ready --timeout=4s >/dev/null 2>&1; do
	kubectl --namespace "$namespace" get eac/eaiser -o jsonpath='         {.status.message}{"\n"}'
	if [ $((SECONDS - applied)) -gt 300 ]; then
		echo "demo: not Ready after 300 s; look at: kubectl -n $namespace describe eac eaiser" >&2
		exit 1
	fi
done
step "Ready $((SECONDS - applied)) s after apply"

echo
kubectl --namespace "$namespace" get eac
tests/topology.sh "$namespace"

echo
step "real answers through the gateway"
kubectl --namespace "$namespace" port-forward service/eaiser-gateway "$port:80" >/dev/null &
forward_pid=$!
gateway=http://127.0.0.1:$port
curl --silent --retry 20 --retry-delay 1 --retry-connrefused --max-time 5 --output /dev/null "$gateway/healthz/ready"
ask() {
	echo "  \$ curl $*"
	curl --silent --show-error --max-time 10 "$@" | sed 's/^/    /'
	echo
}
if [[ $mongodb_image == *standin* ]]; then
	echo "  (MongoDB is a stand-in here, $mongodb_image: this machine has no mongod; set MONGOD=/path to use a real one)"
fi
ask -X POST "$gateway/items" -H 'content-type: application/json' -d '{"name":"demo","value":42}'
ask "$gateway/items?limit=1"
ask "$gateway/ai/answer?question=How+many+instances&think_ms=400"
ask "$gateway/ai/answer?question=How+many+instances&think_ms=400"
echo "  the second answer came from Redis (\"cached\":true)"

echo
echo "${bold}Look further${plain}"
echo "  export KUBECONFIG=$KUBECONFIG"
command -v kubectl >/dev/null || echo "  alias kubectl='tests/lab/lab --name $lab_name kubectl'"
[ ! -x "$program" ] || echo "  $program status eaiser -n $namespace        # the whole cluster on one screen"
echo "  kubectl -n $namespace describe eac eaiser        # conditions, capacity and its arithmetic"
echo "  kubectl -n $namespace port-forward service/eaiser-gateway $port:80    # then: curl $gateway/"
echo "  inside the cluster the gateway is $(kubectl -n "$namespace" get eac eaiser -o jsonpath='{.status.endpoints.gateway}')"
echo "  kubectl -n $namespace scale eac eaiser --replicas=3"
echo "${bold}Stop${plain}"
echo "  kubectl -n $namespace delete eac eaiser          # removes everything but the volumes"
echo "  make clean-lab                                   # removes the whole cluster"
step "done"
