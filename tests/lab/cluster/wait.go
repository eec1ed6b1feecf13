package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"eaiser.io/operator/tests/lab/host"
)

// fatal ends a poll at once.
type fatal struct{ error }

// poll asks until the answer is no error, and explains the last one when time
// is up.
func poll(ctx context.Context, limit time.Duration, what string, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		if stop, ok := errors.AsType[fatal](err); ok {
			return stop.error
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %s for %s: %w", limit, what, err)
		case <-ticker.C:
		}
	}
}

// waitReady ends when a user can work: nodes Ready, Services and DNS answering
// from where pods are.
func (u *running) waitReady(ctx context.Context) error {
	client, err := u.Client()
	if err != nil {
		return err
	}
	if err := u.waitNodes(ctx, client); err != nil {
		return err
	}
	u.steps.Step("%d nodes are Ready", u.Nodes+u.Simulated)
	for i := 1; i <= u.Nodes; i++ {
		if err := u.waitServices(ctx, u.NodeName(i)); err != nil {
			return err
		}
	}
	u.steps.Step("DNS and Services answer on every node")
	return poll(ctx, 30*time.Second, "the service account of namespace default", func() error {
		_, err := client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

func (u *running) waitNodes(ctx context.Context, client kubernetes.Interface) error {
	return poll(ctx, 2*time.Minute, "all nodes to be Ready", func() error {
		for i := 1; i <= u.Nodes; i++ {
			for _, program := range nodePrograms {
				if err := u.alive(nodeProcess(program, i)); err != nil {
					return fatal{err}
				}
			}
		}
		if u.Simulated > 0 {
			if err := u.alive("kwok"); err != nil {
				return fatal{err}
			}
		}
		nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		ready := 0
		for _, node := range nodes.Items {
			if nodeReady(node) {
				ready++
			}
		}
		if ready < u.Nodes+u.Simulated {
			return fmt.Errorf("%d of %d are Ready", ready, u.Nodes+u.Simulated)
		}
		return nil
	})
}

func nodeReady(node corev1.Node) bool {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// waitServices asks, from a node's namespace, the DNS server for the API
// server's name, and connects to the Service address it gives.
func (u *running) waitServices(ctx context.Context, namespace string) error {
	dialer, err := host.NewDialer(namespace)
	if err != nil {
		return err
	}
	resolver := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return dialer.Dial(net.JoinHostPort(u.ControlAddress(), "53"))
	}}
	return poll(ctx, 30*time.Second, "DNS and Services on "+namespace, func() error {
		if err := u.alive("coredns"); err != nil {
			return fatal{err}
		}
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		addresses, err := resolver.LookupHost(ctx, "kubernetes.default.svc.cluster.local.")
		if err != nil {
			return err
		}
		connection, err := dialer.Dial(net.JoinHostPort(addresses[0], "443"))
		if err != nil {
			return err
		}
		return connection.Close()
	})
}

// Tail is the last lines of a file, for messages.
func Tail(path string, lines int) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
