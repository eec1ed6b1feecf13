package cluster

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"eaiser.io/operator/tests/lab/enforcement"
	"eaiser.io/operator/tests/lab/host"
	"eaiser.io/operator/tests/lab/plan"
	"eaiser.io/operator/tests/lab/volumes"
)

// ServeVolumes runs the volume controller; it is started inside the control
// plane's network namespace.
func ServeVolumes(ctx context.Context, name string) error {
	record, err := Load(name)
	if err != nil {
		return err
	}
	client, err := record.serviceClient("volumes")
	if err != nil {
		return err
	}
	return volumes.Run(ctx, client, record.VolumesFolder())
}

// ServeNetworkPolicy runs the controller that enforces NetworkPolicy objects;
// it is started inside the control plane's network namespace.
func ServeNetworkPolicy(ctx context.Context, name string) error {
	record, err := Load(name)
	if err != nil {
		return err
	}
	client, err := record.serviceClient("network-policy")
	if err != nil {
		return err
	}
	return enforcement.New(client, func() ([]string, error) { return nodeNames(name) }).Run(ctx)
}

// nodeNames reads the record anew, because a lab may grow.
func nodeNames(name string) ([]string, error) {
	record, err := Load(name)
	if err != nil {
		return nil, err
	}
	names := make([]string, record.Nodes)
	for i := range names {
		names[i] = record.NodeName(i + 1)
	}
	return names, nil
}

// serviceClient is the client of one of the lab's own services.
func (r Record) serviceClient(service string) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", r.credentials().Path(service+".kubeconfig"))
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// ServeForward passes connections from the host's 127.0.0.1 on to the API
// server, which has no address on the host.
func ServeForward(name string) error {
	record, err := Load(name)
	if err != nil {
		return err
	}
	dialer, err := host.NewDialer(record.Namespace())
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", record.ForwardPort))
	if err != nil {
		return err
	}
	target := net.JoinHostPort(record.ControlAddress(), fmt.Sprint(plan.APIServerPort))
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go forward(connection.(*net.TCPConn), dialer, target)
	}
}

func forward(near *net.TCPConn, dialer *host.Dialer, target string) {
	defer near.Close()
	far, err := dialer.Dial(target)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer far.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(far, near)
		_ = far.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(near, far)
	_ = near.CloseWrite()
	<-done
}
