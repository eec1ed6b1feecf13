package cluster

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

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
	config, err := clientcmd.BuildConfigFromFlags("", record.credentials().Path("volumes.kubeconfig"))
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	return volumes.Run(ctx, client, record.VolumesFolder())
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
