#!/usr/bin/env bash
# Prints where every pod of the cluster `eaiser` runs and which role it has: topology.sh NAMESPACE.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
namespace=$1
kubectl() { tests/lab/lab kubectl --kubeconfig "$KUBECONFIG" --namespace "$namespace" "$@"; }

echo
echo "Pods"
kubectl get pods --selector app.kubernetes.io/instance=eaiser --sort-by=.metadata.name --no-headers \
	-o custom-columns=POD:.metadata.name,NODE:.spec.nodeName,IP:.status.podIP | sed 's/^/  /'
echo "MongoDB members"
kubectl get eac eaiser -o jsonpath='{range .status.mongodb.members[*]}  {.pod}  {.state}  votes {.votes}  on {.node}{"\n"}{end}'
echo "Redis shards"
kubectl get eac eaiser -o jsonpath='{range .status.redis.shards[*]}  {.name}  {.slots} slots  primary {.primary}  replicas {.replicas}{"\n"}{end}'
echo "Capacity"
kubectl get eac eaiser -o jsonpath='  {.status.capacity.minReplicas} to {.status.capacity.maxReplicas} API pods, bound by {.status.capacity.binding}, head-room {.status.capacity.headroomPercent} %{"\n"}'
kubectl get eac eaiser -o jsonpath='{range .status.capacity.constraints[*]}  {.name}: {.replicas} = {.arithmetic}{"\n"}{end}'
