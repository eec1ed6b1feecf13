// Package networkpolicy translates NetworkPolicy objects into the nftables
// rules of one node. It is pure: the same objects always give the same text.
package networkpolicy

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Objects are what the rules follow from, in any order.
type Objects struct {
	Policies   []*networkingv1.NetworkPolicy
	Pods       []*corev1.Pod
	Namespaces []*corev1.Namespace
}

// Cluster is the objects, read once for the rules of all nodes.
type Cluster struct {
	policies   []policy
	pods       []pod
	namespaces map[string]labels.Set
}

// pod is one pod that has an address of its own.
type pod struct {
	namespace string
	node      string
	labels    labels.Set
	address   netip.Addr
	ports     map[namedPort]uint16
	created   time.Time
	name      string
}

// namedPort is how a policy and a container's port find each other.
type namedPort struct {
	protocol protocol
	name     string
}

// Read prepares the objects for Ruleset.
func Read(objects Objects) Cluster {
	cluster := Cluster{namespaces: map[string]labels.Set{}}
	for _, namespace := range objects.Namespaces {
		cluster.namespaces[namespace.Name] = namespace.Labels
	}
	for _, object := range objects.Pods {
		if read, ok := readPod(object); ok {
			cluster.pods = append(cluster.pods, read)
		}
	}
	cluster.pods = onePerAddress(cluster.pods)
	for _, object := range objects.Policies {
		cluster.policies = append(cluster.policies, readPolicy(object))
	}
	slices.SortFunc(cluster.policies, func(a, b policy) int { return cmp.Compare(a.key, b.key) })
	return cluster
}

// readPod leaves out pods that no selector means: those on the node's own
// network, those without an address yet, and those that have ended, whose
// address may already be another pod's.
func readPod(object *corev1.Pod) (pod, bool) {
	if object.Spec.HostNetwork || object.Status.Phase == corev1.PodSucceeded || object.Status.Phase == corev1.PodFailed {
		return pod{}, false
	}
	address, err := netip.ParseAddr(object.Status.PodIP)
	if err != nil || !address.Is4() {
		return pod{}, false
	}
	return pod{
		namespace: object.Namespace,
		node:      object.Spec.NodeName,
		labels:    object.Labels,
		address:   address,
		ports:     readPorts(object),
		created:   object.CreationTimestamp.Time,
		name:      object.Name,
	}, true
}

// onePerAddress orders pods by address. Of two that report the same one, as
// happens while a node that booted gives out its addresses anew, it keeps the
// younger.
func onePerAddress(pods []pod) []pod {
	slices.SortFunc(pods, func(a, b pod) int {
		return cmp.Or(
			a.address.Compare(b.address), b.created.Compare(a.created),
			cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name),
		)
	})
	return slices.CompactFunc(pods, func(a, b pod) bool { return a.address == b.address })
}

func readPorts(object *corev1.Pod) map[namedPort]uint16 {
	ports := map[namedPort]uint16{}
	// An init container that goes on running beside the others serves too.
	for _, container := range slices.Concat(object.Spec.InitContainers, object.Spec.Containers) {
		for _, port := range container.Ports {
			known, ok := readProtocol(&port.Protocol)
			if ok && port.Name != "" && validPort(port.ContainerPort) {
				ports[namedPort{known, port.Name}] = uint16(port.ContainerPort)
			}
		}
	}
	return ports
}

// readSelector makes a selector that cannot be read select nothing. The API
// server admits none.
func readSelector(selector *metav1.LabelSelector) labels.Selector {
	read, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return labels.Nothing()
	}
	return read
}
