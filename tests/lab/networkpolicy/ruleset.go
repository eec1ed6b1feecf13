package networkpolicy

import (
	"net/netip"
	"strings"
)

// group is the pods of a node that the same policies isolate in one direction;
// they share a chain.
type group struct {
	way      direction
	policies []policy
	pods     []pod
}

// Ruleset is the input for `nft -f` that replaces the table of a node, in one
// transaction, by what the policies ask of the node's pods. Without any the
// table is removed.
//
// A packet between pods is judged twice: on its way out by the sender's node,
// on its way in by the receiver's. Only packets that pods exchange with others
// are forwarded, so what a pod's own node sends (probes) and receives is let
// through, as the standard demands.
func (c Cluster) Ruleset(node string) string {
	out := c.groups(node, egress)
	in := c.groups(node, ingress)
	text := newTable()
	if len(out)+len(in) == 0 {
		return text.removal()
	}
	forward := []match{replies().accept(), toItself(out, in).accept()}
	forward = append(forward, dispatch(egress, out)...)
	forward = append(forward, dispatch(ingress, in)...)
	for _, one := range append(out, in...) {
		text.chain(one.name(), append(c.allowances(one, text), drop()))
	}
	text.forward(forward)
	return text.replacement()
}

// groups finds the pods of a node that are isolated, in order of address.
func (c Cluster) groups(node string, way direction) []group {
	var found []group
	index := map[string]int{}
	for _, candidate := range c.pods {
		if candidate.node != node {
			continue
		}
		var isolating []policy
		var keys []string
		for _, one := range c.policies {
			if _, isolates := one.rules[way]; isolates && one.namespace == candidate.namespace && one.selects.Matches(candidate.labels) {
				isolating = append(isolating, one)
				keys = append(keys, one.key)
			}
		}
		if len(isolating) == 0 {
			continue
		}
		id := strings.Join(keys, ",")
		at, known := index[id]
		if !known {
			at = len(found)
			index[id] = at
			found = append(found, group{way: way, policies: isolating})
		}
		found[at].pods = append(found[at].pods, candidate)
	}
	return found
}

// name is the same as long as the same policies isolate the group.
func (g group) name() string {
	keys := make([]string, len(g.policies))
	for i, one := range g.policies {
		keys[i] = one.key
	}
	return hashedName(string(g.way), keys)
}

// allowances are the rules of a group's chain, in the order of its policies.
func (c Cluster) allowances(g group, text *table) []match {
	var lines []match
	for _, one := range g.policies {
		for _, allowed := range one.rules[g.way] {
			for _, line := range c.translate(g, allowed, text) {
				lines = append(lines, line.allow(one.key))
			}
		}
	}
	return lines
}

// translate gives every combination of peers and ports that a rule allows.
func (c Cluster) translate(g group, allowed rule, text *table) []match {
	var lines []match
	sources := c.peerMatches(g.way, allowed, text)
	for _, source := range sources {
		for _, port := range allowed.ports.matches() {
			lines = append(lines, source.and(port))
		}
	}
	for _, name := range allowed.ports.names {
		if g.way == egress {
			lines = append(lines, destinations(name, c.meant(allowed))...)
			continue
		}
		for _, own := range destinations(name, g.pods) {
			for _, source := range sources {
				lines = append(lines, source.and(own))
			}
		}
	}
	return lines
}

// meant lists the pods a rule's peers mean.
func (c Cluster) meant(allowed rule) []pod {
	var found []pod
	for _, candidate := range c.pods {
		for _, one := range allowed.peers {
			if one.matches(candidate, c.namespaces) {
				found = append(found, candidate)
				break
			}
		}
		if allowed.anyone {
			found = append(found, candidate)
		}
	}
	return found
}

// peerMatches gives one match for all pods a rule means and one for each block.
func (c Cluster) peerMatches(way direction, allowed rule, text *table) []match {
	if allowed.anyone {
		return []match{""}
	}
	var found []match
	selected := rule{}
	for _, one := range allowed.peers {
		if one.pods == nil {
			found = append(found, inBlock(way, one.block, one.except))
			continue
		}
		selected.peers = append(selected.peers, one)
	}
	var addresses []netip.Addr
	for _, one := range c.meant(selected) {
		addresses = append(addresses, one.address)
	}
	if len(addresses) > 0 {
		found = append(found, inSet(way, text.set(addresses)))
	}
	return found
}
