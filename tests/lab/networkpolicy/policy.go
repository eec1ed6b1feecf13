package networkpolicy

import (
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// direction is one of the two ways a policy can isolate a pod.
type direction string

const (
	ingress direction = "ingress"
	egress  direction = "egress"
)

// policy is one NetworkPolicy. A direction that is not a key of rules is not
// isolated by it; one with no rules allows nothing.
type policy struct {
	key       string // namespace/name
	namespace string
	selects   labels.Selector
	rules     map[direction][]rule
}

// rule allows the ports to the peers; anyone means that no peers are named.
type rule struct {
	anyone bool
	peers  []peer
	ports  ports
}

// peer is either pods or a block of addresses.
type peer struct {
	namespace  string          // of the policy
	namespaces labels.Selector // nil for the policy's own namespace
	pods       labels.Selector // nil when block is meant
	block      netip.Prefix
	except     []netip.Prefix
}

func readPolicy(object *networkingv1.NetworkPolicy) policy {
	read := policy{
		key:       object.Namespace + "/" + object.Name,
		namespace: object.Namespace,
		selects:   readSelector(&object.Spec.PodSelector),
		rules:     map[direction][]rule{},
	}
	for _, way := range isolates(object.Spec) {
		read.rules[way] = []rule{}
	}
	if _, isolated := read.rules[ingress]; isolated {
		for _, allowed := range object.Spec.Ingress {
			read.rules[ingress] = append(read.rules[ingress], readRule(read.namespace, allowed.From, allowed.Ports))
		}
	}
	if _, isolated := read.rules[egress]; isolated {
		for _, allowed := range object.Spec.Egress {
			read.rules[egress] = append(read.rules[egress], readRule(read.namespace, allowed.To, allowed.Ports))
		}
	}
	return read
}

// isolates applies the default of policyTypes: ingress always, egress when
// there are rules for it.
func isolates(spec networkingv1.NetworkPolicySpec) []direction {
	if len(spec.PolicyTypes) == 0 {
		if len(spec.Egress) > 0 {
			return []direction{ingress, egress}
		}
		return []direction{ingress}
	}
	var ways []direction
	if slices.Contains(spec.PolicyTypes, networkingv1.PolicyTypeIngress) {
		ways = append(ways, ingress)
	}
	if slices.Contains(spec.PolicyTypes, networkingv1.PolicyTypeEgress) {
		ways = append(ways, egress)
	}
	return ways
}

func readRule(namespace string, named []networkingv1.NetworkPolicyPeer, allowed []networkingv1.NetworkPolicyPort) rule {
	read := rule{anyone: len(named) == 0, ports: readPolicyPorts(allowed)}
	for _, one := range named {
		if found, ok := readPeer(namespace, one); ok {
			read.peers = append(read.peers, found)
		}
	}
	return read
}

// readPeer gives false for what can match nobody here: a block that is no IPv4
// network, or an entry of a kind this version does not know.
func readPeer(namespace string, named networkingv1.NetworkPolicyPeer) (peer, bool) {
	if named.IPBlock != nil {
		return readBlock(*named.IPBlock)
	}
	if named.PodSelector == nil && named.NamespaceSelector == nil {
		return peer{}, false
	}
	read := peer{namespace: namespace, pods: labels.Everything()}
	if named.PodSelector != nil {
		read.pods = readSelector(named.PodSelector)
	}
	if named.NamespaceSelector != nil {
		read.namespaces = readSelector(named.NamespaceSelector)
	}
	return read, true
}

// readBlock fails closed: an exception that cannot be read takes the block with it.
func readBlock(named networkingv1.IPBlock) (peer, bool) {
	block, ok := readPrefix(named.CIDR)
	if !ok {
		return peer{}, false
	}
	read := peer{block: block}
	for _, text := range named.Except {
		except, ok := readPrefix(text)
		if !ok {
			return peer{}, false
		}
		read.except = append(read.except, except)
	}
	read.except = outermost(read.except)
	return read, true
}

func readPrefix(text string) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(text)
	return prefix.Masked(), err == nil && prefix.Addr().Is4()
}

// outermost drops every prefix that lies in another: nftables refuses sets
// whose members overlap.
func outermost(prefixes []netip.Prefix) []netip.Prefix {
	slices.SortFunc(prefixes, func(a, b netip.Prefix) int {
		if order := a.Addr().Compare(b.Addr()); order != 0 {
			return order
		}
		return a.Bits() - b.Bits()
	})
	var kept []netip.Prefix
	for _, prefix := range prefixes {
		if len(kept) == 0 || !kept[len(kept)-1].Contains(prefix.Addr()) {
			kept = append(kept, prefix)
		}
	}
	return kept
}

// matches says whether the peer means the pod.
func (p peer) matches(other pod, namespaces map[string]labels.Set) bool {
	if p.pods == nil {
		return p.block.Contains(other.address) &&
			!slices.ContainsFunc(p.except, func(except netip.Prefix) bool { return except.Contains(other.address) })
	}
	if !p.pods.Matches(other.labels) {
		return false
	}
	if p.namespaces == nil {
		return other.namespace == p.namespace
	}
	namespace, known := namespaces[other.namespace]
	return known && p.namespaces.Matches(namespace)
}
