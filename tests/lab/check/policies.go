package check

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// client is a pod on node 1, beside redis-1, with a label of its own.
const client = "client"

// inEffect is how long a policy may take; far more than the second it should,
// because the machine may be busy.
const inEffect = 10 * time.Second

// policy selects pods by their label app.
func policy(name, app string, spec networkingv1.NetworkPolicySpec) *networkingv1.NetworkPolicy {
	spec.PodSelector = metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
	return &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
}

func (s *session) addPolicy(ctx context.Context, object *networkingv1.NetworkPolicy) error {
	_, err := s.client.NetworkingV1().NetworkPolicies(namespace).Create(ctx, object, metav1.CreateOptions{})
	return err
}

func (s *session) removePolicy(ctx context.Context, name string) error {
	return s.client.NetworkingV1().NetworkPolicies(namespace).Delete(ctx, name, metav1.DeleteOptions{})
}

// reaches waits until Redis on redis-1 can, or cannot, be asked from a pod, by
// address.
func (s *session) reaches(ctx context.Context, from string, wanted bool) error {
	server, err := s.client.CoreV1().Pods(namespace).Get(ctx, s.pods[0], metav1.GetOptions{})
	if err != nil {
		return err
	}
	return within(ctx, inEffect, func(context.Context) error {
		switch err := s.ping(from, server.Status.PodIP); {
		case wanted:
			return err
		case err == nil:
			return fmt.Errorf("%s still reaches %s", from, server.Name)
		}
		return nil
	})
}

// others are the pods on other nodes, with the same label as redis-1.
func (s *session) others() []string { return s.pods[1:] }

func (s *session) denyBlocks(ctx context.Context) error {
	if _, err := s.client.CoreV1().Pods(namespace).Create(ctx, scratchPod(client, s.NodeName(1)), metav1.CreateOptions{}); err != nil {
		return err
	}
	everyone := append([]string{client}, s.others()...)
	for _, from := range everyone {
		if err := within(ctx, time.Minute, func(ctx context.Context) error { return s.reaches(ctx, from, true) }); err != nil {
			return err
		}
	}
	if err := s.addPolicy(ctx, policy("deny", "redis", networkingv1.NetworkPolicySpec{})); err != nil {
		return err
	}
	for _, from := range everyone {
		if err := s.reaches(ctx, from, false); err != nil {
			return err
		}
	}
	return s.staysReady(ctx)
}

// staysReady gives the kubelet time for more probes than may fail.
func (s *session) staysReady(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(5 * time.Second):
	}
	pod, err := s.client.CoreV1().Pods(namespace).Get(ctx, s.pods[0], metav1.GetOptions{})
	if err == nil && !podReady(pod) {
		err = fmt.Errorf("%s is no longer Ready: its node's probes are blocked", pod.Name)
	}
	return err
}

func (s *session) selectorOpens(ctx context.Context) error {
	if err := s.addPolicy(ctx, policy("from-client", "redis", networkingv1.NetworkPolicySpec{
		Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{
			{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": client}}},
		}}},
	})); err != nil {
		return err
	}
	if err := s.reaches(ctx, client, true); err != nil {
		return err
	}
	for _, from := range s.others() {
		if err := s.reaches(ctx, from, false); err != nil {
			return err
		}
	}
	return s.removePolicy(ctx, "from-client")
}

func (s *session) namedPortOpens(ctx context.Context) error {
	port := intstr.FromString(redisPortName)
	if err := s.addPolicy(ctx, policy("named-port", "redis", networkingv1.NetworkPolicySpec{
		Ingress: []networkingv1.NetworkPolicyIngressRule{{
			From: []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{
				MatchLabels: map[string]string{corev1.LabelMetadataName: namespace},
			}}},
			Ports: []networkingv1.NetworkPolicyPort{{Port: &port}},
		}},
	})); err != nil {
		return err
	}
	for _, from := range append([]string{client}, s.others()...) {
		if err := s.reaches(ctx, from, true); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) egressBlocks(ctx context.Context) error {
	if err := s.addPolicy(ctx, policy("no-egress", client, networkingv1.NetworkPolicySpec{
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
	})); err != nil {
		return err
	}
	if err := s.reaches(ctx, client, false); err != nil {
		return err
	}
	lookup := []string{"exec", client, "--", "timeout", "3", "getent", "hosts", "redis"}
	if answer, err := s.kubectl(lookup...); err == nil {
		return fmt.Errorf("%s, which may send nothing, looked up %q", client, answer)
	}
	for _, from := range s.others() {
		if err := s.reaches(ctx, from, true); err != nil {
			return err
		}
	}
	if err := s.removePolicy(ctx, "no-egress"); err != nil {
		return err
	}
	return within(ctx, inEffect, func(context.Context) error {
		_, err := s.kubectl(lookup...)
		return err
	})
}

func (s *session) removalOpens(ctx context.Context) error {
	for _, name := range []string{"named-port", "deny"} {
		if err := s.removePolicy(ctx, name); err != nil {
			return err
		}
	}
	for _, from := range append([]string{client}, s.others()...) {
		if err := s.reaches(ctx, from, true); err != nil {
			return err
		}
	}
	return nil
}
