// Package check proves that a lab works, from a user's point of view: it is
// the lab's own end-to-end test.
package check

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"eaiser.io/operator/tests/lab/cluster"
	"eaiser.io/operator/tests/lab/progress"
)

const namespace = "lab-check"

// session is one run of the checks.
type session struct {
	cluster.Record
	client kubernetes.Interface
	steps  *progress.Printer
	pods   []string // by node, from node 1
}

// Run makes a namespace, checks everything in it and removes it.
func Run(ctx context.Context, record cluster.Record, steps *progress.Printer) error {
	client, err := record.Client()
	if err != nil {
		return err
	}
	s := &session{Record: record, client: client, steps: steps}
	if err := s.removeNamespace(ctx); err != nil {
		return err
	}
	for _, check := range []struct {
		proves string
		run    func(context.Context) error
	}{
		{"every node is Ready", s.nodesReady},
		{"Pod Security refuses a pod that is not restricted", s.unrestrictedRefused},
		{"a restricted pod runs on each node, its claim bound", s.podsRun},
		{"pods answer across nodes by address", s.answerByAddress},
		{"pods answer by Service address and by DNS name", s.answerByService},
		{"a volume is written as user 999 of group 999", s.volumeWritable},
		{"logs, exec and port-forward work", s.access},
		{"a claim grows", s.claimGrows},
		{"the host reaches Services and pods inside the network", s.insideNetwork},
		{"a policy blocks what comes in, from the same and other nodes; probes pass", s.denyBlocks},
		{"a policy opens for pods by label, and for no other", s.selectorOpens},
		{"a policy opens a named port", s.namedPortOpens},
		{"a policy blocks what goes out, names included", s.egressBlocks},
		{"removed policies leave everything open", s.removalOpens},
		{"kubectl top and autoscalers see container CPU", s.metrics},
		{"volumes go with their claims", s.volumesGo},
	} {
		err := check.run(ctx)
		if errors.Is(err, errWithout) {
			steps.Step("skipped: %s: %v", check.proves, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("check failed: %s: %w\nlook at it with: lab kubectl -n %s get all,pvc,events", check.proves, err, namespace)
		}
		steps.Step("ok: %s", check.proves)
	}
	return nil
}

// eventually repeats a check for a minute.
func eventually(ctx context.Context, check func(context.Context) error) error {
	return within(ctx, time.Minute, check)
}

// within repeats a check until it passes or the time is up.
func within(ctx context.Context, limit time.Duration, check func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 250*time.Millisecond, limit, true, func(ctx context.Context) (bool, error) {
		last = check(ctx)
		return last == nil, nil
	})
	if err != nil {
		return errors.Join(err, last)
	}
	return nil
}

func (s *session) removeNamespace(ctx context.Context) error {
	err := s.client.CoreV1().Namespaces().Delete(ctx, namespace, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return eventually(ctx, func(ctx context.Context) error {
		_, err := s.client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("namespace %s is still there", namespace)
	})
}

func (s *session) nodesReady(ctx context.Context) error {
	status, err := cluster.Inspect(ctx, s.Name)
	if err != nil {
		return err
	}
	if len(status.Nodes) < s.Nodes || !status.Healthy() {
		return fmt.Errorf("lab status is not healthy: %+v", status)
	}
	return nil
}

func (s *session) unrestrictedRefused(ctx context.Context) error {
	_, err := s.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: namespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	return eventually(ctx, func(ctx context.Context) error {
		pod := redisPod("root", "")
		pod.Spec.SecurityContext = nil
		_, err := s.client.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{})
		if err == nil || !strings.Contains(err.Error(), "violates PodSecurity") {
			return fmt.Errorf("the API server answered %v", err)
		}
		return nil
	})
}

func (s *session) podsRun(ctx context.Context) error {
	if _, err := s.client.CoreV1().Services(namespace).Create(ctx, redisService(), metav1.CreateOptions{}); err != nil {
		return err
	}
	for i := 1; i <= s.Nodes; i++ {
		name := fmt.Sprintf("redis-%d", i)
		s.pods = append(s.pods, name)
		if _, err := s.client.CoreV1().PersistentVolumeClaims(namespace).Create(ctx, claim(name), metav1.CreateOptions{}); err != nil {
			return err
		}
		if _, err := s.client.CoreV1().Pods(namespace).Create(ctx, redisPod(name, s.NodeName(i)), metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return eventually(ctx, func(ctx context.Context) error {
		for _, name := range s.pods {
			pod, err := s.client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			if !podReady(pod) {
				return fmt.Errorf("pod %s is %s: %+v", name, pod.Status.Phase, pod.Status.ContainerStatuses)
			}
		}
		return nil
	})
}

func podReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
