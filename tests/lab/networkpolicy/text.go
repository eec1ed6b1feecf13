package networkpolicy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Table is the name of the nftables table, of family inet, in every node's
// network namespace.
const Table = "eaiser-lab-policy"

// match is one nftables rule or its beginning. Matches are made from
// addresses, numbers and hashed names only; see comment for the one exception.
type match string

func (m match) and(other match) match {
	return match(strings.TrimSpace(string(m) + " " + string(other)))
}

func (m match) accept() match { return m.and("accept") }

// allow ends the judgement of one direction; the other may still follow.
func (m match) allow(policy string) match { return m.and("return").and(comment(policy)) }

func drop() match    { return "drop" }
func replies() match { return "ct state established,related" }

// comment shows where a rule comes from. The policy's name is cut to what
// nftables takes and freed of anything that a name cannot hold anyway.
func comment(policy string) match {
	const longest = 120
	safe := strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-./", r) {
			return r
		}
		return '_'
	}, policy)
	return match(fmt.Sprintf("comment \"%s\"", safe[:min(len(safe), longest)]))
}

// field is the address of the peer of a pod, or of the pod itself.
func field(way direction, peer bool) string {
	if (way == ingress) == peer {
		return "ip saddr"
	}
	return "ip daddr"
}

func braces[T any](values []T, show func(T) string) string {
	shown := make([]string, len(values))
	for i, value := range values {
		shown[i] = show(value)
	}
	return "{ " + strings.Join(shown, ", ") + " }"
}

func inSet(way direction, set string) match { return match(field(way, true) + " @" + set) }

func inBlock(way direction, block netip.Prefix, except []netip.Prefix) match {
	text := match(field(way, true) + " " + block.String())
	if len(except) > 0 {
		text = text.and(match(field(way, true) + " != " + braces(except, netip.Prefix.String)))
	}
	return text
}

// matches gives one match per protocol, or one for everything.
func (p ports) matches() []match {
	if p.everything {
		return []match{""}
	}
	var found []match
	for _, known := range protocols {
		switch ranges := p.numbers[known]; {
		case len(ranges) == 0:
		case ranges[0] == allNumbers:
			found = append(found, match("meta l4proto "+known))
		default:
			found = append(found, match(string(known)+" dport "+braces(ranges, portRange.String)))
		}
	}
	return found
}

func (r portRange) String() string {
	if r.first == r.last {
		return fmt.Sprint(r.first)
	}
	return fmt.Sprintf("%d-%d", r.first, r.last)
}

// destinations matches, of the pods given, the ports they call by the name.
func destinations(name namedPort, pods []pod) []match {
	var targets []string
	for _, one := range pods {
		if number, has := one.ports[name]; has {
			targets = append(targets, fmt.Sprintf("%s . %d", one.address, number))
		}
	}
	if len(targets) == 0 {
		return nil
	}
	return []match{match("ip daddr . " + string(name.protocol) + " dport " + braces(targets, strings.Clone))}
}

// toItself matches what a pod sends to itself through a Service, which no
// policy can forbid.
func toItself(groups ...[]group) match {
	var addresses []netip.Addr
	for _, one := range slices.Concat(groups...) {
		for _, isolated := range one.pods {
			addresses = append(addresses, isolated.address)
		}
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	return match("ip saddr . ip daddr " + braces(slices.Compact(addresses), func(address netip.Addr) string {
		return address.String() + " . " + address.String()
	}))
}

// dispatch sends what concerns an isolated pod to its chain.
func dispatch(way direction, groups []group) []match {
	if len(groups) == 0 {
		return nil
	}
	var verdicts []string
	for _, one := range groups {
		for _, isolated := range one.pods {
			verdicts = append(verdicts, fmt.Sprintf("%s : jump %s", isolated.address, one.name()))
		}
	}
	return []match{match(field(way, false) + " vmap " + braces(verdicts, strings.Clone))}
}

// hashedName is a name for nftables, which knows no other than short ones.
func hashedName(kind string, parts []string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, ",")))
	return kind + "-" + hex.EncodeToString(sum[:])[:12]
}

// table collects the sets and chains of one table.
type table struct {
	sets  map[string]string // by name
	lines []string
}

func newTable() *table { return &table{sets: map[string]string{}} }

// set names a set of addresses; equal sets are one.
func (t *table) set(addresses []netip.Addr) string {
	elements := braces(addresses, netip.Addr.String)
	name := hashedName("pods", []string{elements})
	t.sets[name] = elements
	return name
}

func (t *table) chain(name string, rules []match) {
	t.lines = append(t.lines, "\tchain "+name+" {")
	for _, rule := range rules {
		t.lines = append(t.lines, "\t\t"+string(rule))
	}
	t.lines = append(t.lines, "\t}")
}

func (t *table) forward(rules []match) {
	t.chain("forward", append([]match{"type filter hook forward priority filter; policy accept;"}, rules...))
}

// removal works whether or not the table is there: adding what exists is no error.
func (t *table) removal() string {
	return "table inet " + Table + "\ndelete table inet " + Table + "\n"
}

func (t *table) replacement() string {
	var text strings.Builder
	text.WriteString(t.removal())
	text.WriteString("table inet " + Table + " {\n")
	names := make([]string, 0, len(t.sets))
	for name := range t.sets {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		text.WriteString("\tset " + name + " {\n\t\ttype ipv4_addr\n\t\telements = " + t.sets[name] + "\n\t}\n")
	}
	text.WriteString(strings.Join(t.lines, "\n") + "\n}\n")
	return text.String()
}
