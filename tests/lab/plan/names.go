// Package plan derives everything that has a name, an address or a path in a
// lab from the lab's own name. It is pure: two labs with different names and
// networks never share a namespace, address, cgroup or folder.
package plan

import (
	"fmt"
	"regexp"
)

// MaxNodes is how many real nodes one lab may have. Three already share the
// whole machine; the address plan would allow 60.
const MaxNodes = 9

// maxNameLength keeps unix socket paths under their limit of 107 bytes and
// interface names ("NAME-n1" shortened) readable.
const maxNameLength = 20

var namePattern = regexp.MustCompile(`^[a-z]([a-z0-9-]*[a-z0-9])?$`)

// ValidateName says whether name can be a lab's name, and if not, why.
func ValidateName(name string) error {
	if len(name) > maxNameLength {
		return fmt.Errorf("lab name %q has %d characters; at most %d are allowed", name, len(name), maxNameLength)
	}
	if !namePattern.MatchString(name) {
		return fmt.Errorf("lab name %q must be lower-case letters, digits and dashes, start with a letter and not end with a dash", name)
	}
	if nodePattern.MatchString(name) {
		return fmt.Errorf("lab name %q ends like the name of a node (-n1); choose another", name)
	}
	return nil
}

var nodePattern = regexp.MustCompile(`-n[0-9]+$`)

// Lab is the identity of one lab: its name and the second octet of its
// network 10.Octet.0.0/16.
type Lab struct {
	Name  string `json:"name"`
	Octet int    `json:"octet"`
}

// Namespace is the network namespace of the control plane.
func (l Lab) Namespace() string { return l.Name }

// NodeName is the Kubernetes name, and network namespace, of node i (from 1).
func (l Lab) NodeName(i int) string { return fmt.Sprintf("%s-n%d", l.Name, i) }

// SimulatedNodeName is the Kubernetes name of simulated node i (from 1).
func (l Lab) SimulatedNodeName(i int) string { return fmt.Sprintf("%s-sim%d", l.Name, i) }

// Cgroup is the control group, below the root of every hierarchy, that holds
// all processes of the lab.
func (l Lab) Cgroup() string { return "/eaiser-lab/" + l.Name }

// ControlCgroup holds the control plane's processes.
func (l Lab) ControlCgroup() string { return l.Cgroup() + "/control" }

// NodeCgroup is the root under which the kubelet of node i makes its groups.
func (l Lab) NodeCgroup(i int) string { return fmt.Sprintf("%s/n%d", l.Cgroup(), i) }

// DaemonCgroup holds containerd, its shims, kubelet and kube-proxy of node i.
func (l Lab) DaemonCgroup(i int) string { return l.NodeCgroup(i) + "/daemons" }
