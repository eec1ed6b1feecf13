// Package enforcement keeps every node's network namespace at the nftables
// rules that the cluster's NetworkPolicy objects ask for.
package enforcement

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"eaiser.io/operator/tests/lab/networkpolicy"
)

const (
	// gather is how long changes are collected before they are applied.
	gather = 100 * time.Millisecond
	// again is how long after a failure the node is tried once more.
	again = time.Second
)

// Controller applies the rules of all nodes.
type Controller struct {
	factory informers.SharedInformerFactory
	nodes   func() ([]string, error)
	apply   func(ctx context.Context, node, ruleset string) error
	changed chan struct{}
	applied map[string]string // by node
}

// New makes a controller. nodes lists the names of the real nodes, which are
// also those of their network namespaces; it is asked again before every change,
// so that nodes may be added.
func New(client kubernetes.Interface, nodes func() ([]string, error)) *Controller {
	return &Controller{
		factory: informers.NewSharedInformerFactory(client, 0),
		nodes:   nodes,
		apply:   apply,
		changed: make(chan struct{}, 1),
		applied: map[string]string{},
	}
}

// Run serves until the context ends.
func (c *Controller) Run(ctx context.Context) error {
	for _, informer := range []cache.SharedIndexInformer{
		c.factory.Networking().V1().NetworkPolicies().Informer(),
		c.factory.Core().V1().Pods().Informer(),
		c.factory.Core().V1().Namespaces().Informer(),
	} {
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { c.notice() },
			UpdateFunc: func(any, any) { c.notice() },
			DeleteFunc: func(any) { c.notice() },
		}); err != nil {
			return err
		}
	}
	c.factory.Start(ctx.Done())
	c.factory.WaitForCacheSync(ctx.Done())
	c.notice()
	c.serve(ctx)
	return nil
}

// notice remembers that something changed; many changes are remembered as one.
func (c *Controller) notice() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

func (c *Controller) serve(ctx context.Context) {
	var due <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.changed:
			if due == nil {
				due = time.After(gather)
			}
		case <-due:
			due = nil
			if err := c.sync(ctx); err != nil {
				fmt.Fprintf(os.Stderr, "%s %v\n", time.Now().Format(time.RFC3339), err)
				due = time.After(again)
			}
		}
	}
}

// sync applies what changed. A node that fails does not keep others from
// getting their rules.
func (c *Controller) sync(ctx context.Context) error {
	nodes, err := c.nodes()
	if err != nil {
		return fmt.Errorf("list the nodes: %w", err)
	}
	cluster, err := c.read()
	if err != nil {
		return fmt.Errorf("read policies, pods and namespaces: %w", err)
	}
	var failures []error
	for _, node := range nodes {
		ruleset := cluster.Ruleset(node)
		if c.applied[node] == ruleset {
			continue
		}
		delete(c.applied, node)
		if err := c.apply(ctx, node, ruleset); err != nil {
			failures = append(failures, fmt.Errorf("apply network policies on %s: %w", node, err))
			continue
		}
		c.applied[node] = ruleset
		fmt.Printf("%s applied network policies on %s\n", time.Now().Format(time.RFC3339Nano), node)
	}
	return errors.Join(failures...)
}

func (c *Controller) read() (networkpolicy.Cluster, error) {
	policies, err := c.factory.Networking().V1().NetworkPolicies().Lister().List(labels.Everything())
	if err != nil {
		return networkpolicy.Cluster{}, err
	}
	pods, err := c.factory.Core().V1().Pods().Lister().List(labels.Everything())
	if err != nil {
		return networkpolicy.Cluster{}, err
	}
	namespaces, err := c.factory.Core().V1().Namespaces().Lister().List(labels.Everything())
	return networkpolicy.Read(networkpolicy.Objects{Policies: policies, Pods: pods, Namespaces: namespaces}), err
}
