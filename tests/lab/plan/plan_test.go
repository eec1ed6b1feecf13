package plan

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestNamesThatWouldBreakSocketsOrNamespacesAreRefused(t *testing.T) {
	for _, name := range []string{"", "Lab", "1lab", "lab-", "la b", "../lab", "lab_1", "lab-n1", strings.Repeat("a", 21)} {
		if ValidateName(name) == nil {
			t.Errorf("name %q was accepted", name)
		}
	}
}

func TestOrdinaryNamesAreAccepted(t *testing.T) {
	for _, name := range []string{"lab", "a", "e2e-2", "lab-n", strings.Repeat("a", 20)} {
		if err := ValidateName(name); err != nil {
			t.Errorf("name %q was refused: %v", name, err)
		}
	}
}

func TestTheSameNameGetsTheSameNetwork(t *testing.T) {
	first, _ := PickOctet("lab", nil)
	second, _ := PickOctet("lab", map[int]bool{first + 1: true})
	if first != second {
		t.Errorf("got %d, then %d", first, second)
	}
}

func TestATakenNetworkIsNeverPicked(t *testing.T) {
	taken := map[int]bool{}
	for {
		octet, err := PickOctet("lab", taken)
		if errors.Is(err, ErrNoFreeNetwork) {
			break
		}
		if taken[octet] || octet < firstOctet || octet > lastOctet {
			t.Fatalf("picked %d, taken already or out of range", octet)
		}
		taken[octet] = true
	}
	if len(taken) != lastOctet-firstOctet+1 {
		t.Errorf("gave up after %d networks", len(taken))
	}
}

func TestRangesOfALabDoNotOverlap(t *testing.T) {
	lab := Lab{Name: "lab", Octet: 99}
	ranges := []string{"10.99.0.0/24", lab.ClusterRange(), lab.SimulatedRange(), lab.ServiceRange()}
	for i, one := range ranges {
		for _, other := range ranges[i+1:] {
			if netip.MustParsePrefix(one).Overlaps(netip.MustParsePrefix(other)) {
				t.Errorf("%s overlaps %s", one, other)
			}
		}
	}
}

func TestEveryNodeHasItsOwnPodsInsideTheClusterRange(t *testing.T) {
	lab := Lab{Name: "lab", Octet: 99}
	cluster := netip.MustParsePrefix(lab.ClusterRange())
	seen := map[string]bool{}
	for i := 1; i <= MaxNodes; i++ {
		pods := netip.MustParsePrefix(lab.PodRange(i))
		if seen[pods.String()] || !cluster.Contains(pods.Addr()) {
			t.Errorf("node %d has %s", i, pods)
		}
		seen[pods.String()] = true
	}
}

func TestTheAPIServiceIsTheFirstOfItsRange(t *testing.T) {
	lab := Lab{Name: "lab", Octet: 99}
	first := netip.MustParsePrefix(lab.ServiceRange()).Addr().Next()
	if lab.APIServiceAddress() != first.String() {
		t.Errorf("got %s, the API server will answer at %s", lab.APIServiceAddress(), first)
	}
}

func TestSocketPathsFitTheKernelsLimit(t *testing.T) {
	lab := Lab{Name: strings.Repeat("a", maxNameLength), Octet: 99}
	if length := len(lab.ContainerdSocket(MaxNodes) + ".ttrpc"); length > 107 {
		t.Errorf("socket path has %d bytes", length)
	}
}
