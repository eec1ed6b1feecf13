package cluster

import (
	"fmt"

	"eaiser.io/operator/tests/lab/host"
)

const bridge = "nodes"

// cable is the end, in the control plane's namespace, of node i's link. Taking
// it down cuts the node off while all its routes stay.
func cable(i int) string { return fmt.Sprintf("node%d", i) }

// connect makes the namespaces, the bridge and the links that are missing.
// Nothing leads out: no link ends in the host's own namespace.
func (r Record) connect() error {
	if err := r.connectControl(); err != nil {
		return err
	}
	for i := 1; i <= r.Nodes; i++ {
		if err := r.connectNode(i); err != nil {
			return err
		}
	}
	return r.connectRoutes()
}

func (r Record) connectControl() error {
	if host.HasLink(r.Namespace(), bridge) {
		return nil
	}
	// What an interrupted `up` left of the namespace goes first.
	if err := host.RemoveNamespace(r.Namespace()); err != nil {
		return err
	}
	if err := host.MakeNamespace(r.Namespace()); err != nil {
		return err
	}
	return host.IPBatch(r.Namespace(),
		"link add "+bridge+" type bridge",
		"addr add "+r.ControlAddress()+"/24 dev "+bridge,
		"link set "+bridge+" up",
	)
}

func (r Record) connectNode(i int) error {
	namespace := r.NodeName(i)
	if host.HasLink(namespace, "eth0") {
		return nil
	}
	if err := host.RemoveNamespace(namespace); err != nil {
		return err
	}
	if err := host.MakeNamespace(namespace); err != nil {
		return err
	}
	if err := host.IPBatch(r.Namespace(),
		fmt.Sprintf("link add %s type veth peer name eth0 netns %s", cable(i), namespace),
		fmt.Sprintf("link set %s master %s", cable(i), bridge),
		fmt.Sprintf("link set %s up", cable(i)),
	); err != nil {
		return err
	}
	return host.IPBatch(namespace,
		"addr add "+r.NodeAddress(i)+"/24 dev eth0",
		"link set eth0 up",
		"route add default via "+r.ControlAddress(),
	)
}

// connectRoutes tells every namespace which node has which pods.
func (r Record) connectRoutes() error {
	for at := 0; at <= r.Nodes; at++ {
		namespace := r.Namespace()
		if at > 0 {
			namespace = r.NodeName(at)
		}
		var lines []string
		if at == 0 {
			// Service addresses are rewritten on the way out, but a packet
			// without any route is refused before that.
			lines = append(lines, "route replace "+r.ServiceRange()+" dev "+bridge)
		}
		for i := 1; i <= r.Nodes; i++ {
			if i != at {
				lines = append(lines, fmt.Sprintf("route replace %s via %s", r.PodRange(i), r.NodeAddress(i)))
			}
		}
		if len(lines) == 0 {
			continue
		}
		if err := host.IPBatch(namespace, lines...); err != nil {
			return err
		}
	}
	return nil
}

// Partition cuts node i off from all others and from the control plane.
func (r Record) Partition(i int) error {
	return host.IPBatch(r.Namespace(), "link set "+cable(i)+" down")
}

// Heal undoes Partition.
func (r Record) Heal(i int) error {
	return host.IPBatch(r.Namespace(), "link set "+cable(i)+" up")
}
