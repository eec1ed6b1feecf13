package networkpolicy

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// protocol is a transport protocol by the name nftables gives it.
type protocol string

// protocols are all there are, in the order in which rules list them.
var protocols = []protocol{"tcp", "udp", "sctp"}

// ports is what a rule allows: everything, or ranges of numbers and names.
type ports struct {
	everything bool
	numbers    map[protocol][]portRange
	names      []namedPort
}

// portRange includes both ends.
type portRange struct{ first, last uint16 }

var allNumbers = portRange{0, 65535}

func readProtocol(named *corev1.Protocol) (protocol, bool) {
	if named == nil {
		return "tcp", true
	}
	switch *named {
	case "", corev1.ProtocolTCP:
		return "tcp", true
	case corev1.ProtocolUDP:
		return "udp", true
	case corev1.ProtocolSCTP:
		return "sctp", true
	}
	return "", false
}

func validPort(number int32) bool { return number > 0 && number <= 65535 }

// readPolicyPorts leaves out entries that cannot be read: they allow nothing.
func readPolicyPorts(allowed []networkingv1.NetworkPolicyPort) ports {
	read := ports{everything: len(allowed) == 0, numbers: map[protocol][]portRange{}}
	for _, entry := range allowed {
		known, ok := readProtocol(entry.Protocol)
		if !ok {
			continue
		}
		if entry.Port != nil && entry.Port.Type == intstr.String {
			read.names = append(read.names, namedPort{known, entry.Port.StrVal})
			continue
		}
		if numbers, ok := readNumbers(entry); ok {
			read.numbers[known] = append(read.numbers[known], numbers)
		}
	}
	for known, ranges := range read.numbers {
		read.numbers[known] = merge(ranges)
	}
	return read
}

func readNumbers(entry networkingv1.NetworkPolicyPort) (portRange, bool) {
	if entry.Port == nil {
		return allNumbers, entry.EndPort == nil
	}
	first, last := entry.Port.IntVal, entry.Port.IntVal
	if entry.EndPort != nil {
		last = *entry.EndPort
	}
	if !validPort(first) || !validPort(last) || last < first {
		return portRange{}, false
	}
	return portRange{uint16(first), uint16(last)}, true
}

// merge joins ranges that overlap: nftables refuses sets whose members do.
func merge(ranges []portRange) []portRange {
	slices.SortFunc(ranges, func(a, b portRange) int { return cmp.Compare(a.first, b.first) })
	var merged []portRange
	for _, next := range ranges {
		if end := len(merged) - 1; end >= 0 && next.first <= merged[end].last {
			merged[end].last = max(merged[end].last, next.last)
			continue
		}
		merged = append(merged, next)
	}
	return merged
}
