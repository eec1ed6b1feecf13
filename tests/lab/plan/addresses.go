package plan

import (
	"errors"
	"fmt"
	"hash/fnv"
)

// A lab's network is 10.OCTET.0.0/16, cut like this:
//
//	10.OCTET.0.0/24     control plane (.1) and nodes (.11, .12, …)
//	10.OCTET.64.0/18    pods; node i has 10.OCTET.(64+i).0/24
//	10.OCTET.128.0/18   addresses shown by simulated pods
//	10.OCTET.192.0/18   Services; the first is the API server's
const (
	firstOctet = 64
	lastOctet  = 250
	podBase    = 64
	nodeBase   = 10
)

// ErrNoFreeNetwork means that every second octet the lab may use is taken.
var ErrNoFreeNetwork = errors.New("every network from 10.64.0.0/16 to 10.250.0.0/16 is taken; take down a lab that is no longer needed")

// PickOctet chooses the second octet for a lab called name among those not
// taken. The same name gets the same network as long as it is free.
func PickOctet(name string, taken map[int]bool) (int, error) {
	hash := fnv.New32a()
	hash.Write([]byte(name))
	count := lastOctet - firstOctet + 1
	start := int(hash.Sum32() % uint32(count))
	for offset := range count {
		octet := firstOctet + (start+offset)%count
		if !taken[octet] {
			return octet, nil
		}
	}
	return 0, ErrNoFreeNetwork
}

func (l Lab) in(format string, arguments ...any) string {
	return fmt.Sprintf("10.%d.", l.Octet) + fmt.Sprintf(format, arguments...)
}

// ControlAddress is where the API server and the DNS server listen.
func (l Lab) ControlAddress() string { return l.in("0.1") }

// NodeAddress is the address of node i (from 1).
func (l Lab) NodeAddress(i int) string { return l.in("0.%d", nodeBase+i) }

// PodRange is the range of the pods of node i.
func (l Lab) PodRange(i int) string { return l.in("%d.0/24", podBase+i) }

// ClusterRange holds every pod range.
func (l Lab) ClusterRange() string { return l.in("64.0/18") }

// SimulatedRange holds the addresses that simulated pods report.
func (l Lab) SimulatedRange() string { return l.in("128.0/18") }

// ServiceRange holds the cluster addresses of Services.
func (l Lab) ServiceRange() string { return l.in("192.0/18") }

// APIServiceAddress is the cluster address of the Service "kubernetes".
func (l Lab) APIServiceAddress() string { return l.in("192.1") }

// APIServerPort is the API server's port inside the control plane's namespace.
const APIServerPort = 6443

// APIServerURL is the API server's address inside the cluster network.
func (l Lab) APIServerURL() string {
	return fmt.Sprintf("https://%s:%d", l.ControlAddress(), APIServerPort)
}

// Range is the lab's whole network.
func (l Lab) Range() string { return l.in("0.0/16") }
