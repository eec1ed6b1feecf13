package components

import (
	"fmt"

	"eaiser.io/operator/tests/lab/host"
)

// MetricsServerPort is where metrics-server listens on the control address.
const MetricsServerPort = 4443

// MetricsServer asks every kubelet what its containers use and answers
// `kubectl top` and autoscalers. The API server is its only client.
func (b Builder) MetricsServer() host.Process {
	file := b.Credentials.Path
	return b.control("metrics-server", b.Binaries.MetricsServer,
		"--kubeconfig="+b.kubeconfig("metrics-server"),
		"--authentication-kubeconfig="+b.kubeconfig("metrics-server"),
		"--authorization-kubeconfig="+b.kubeconfig("metrics-server"),
		"--bind-address="+b.Lab.ControlAddress(),
		fmt.Sprintf("--secure-port=%d", MetricsServerPort),
		"--tls-cert-file="+file("metrics-server-serving.crt"),
		"--tls-private-key-file="+file("metrics-server-serving.key"),
		"--kubelet-certificate-authority="+file("ca.crt"),
		"--kubelet-preferred-address-types=InternalIP",
		// The shortest it takes: tests wait for autoscalers.
		"--metric-resolution=10s",
		// Must be shorter than the resolution.
		"--kubelet-request-timeout=5s",
	)
}
