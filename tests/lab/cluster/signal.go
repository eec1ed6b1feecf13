package cluster

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"eaiser.io/operator/tests/lab/host"
)

// Container names one container of a pod.
type Container struct{ Namespace, Pod, Name string }

// Signal sends a signal to the main process of a container, through the
// containerd of its node: nothing of the pod itself need cooperate.
func Signal(ctx context.Context, name string, target Container, signal string) error {
	record, err := Load(name)
	if err != nil {
		return err
	}
	client, err := record.Client()
	if err != nil {
		return err
	}
	pod, err := client.CoreV1().Pods(target.Namespace).Get(ctx, target.Pod, metav1.GetOptions{})
	if err != nil {
		return err
	}
	id, err := containerID(pod, target.Name)
	if err != nil {
		return err
	}
	for i := 1; i <= record.Nodes; i++ {
		if record.NodeName(i) == pod.Spec.NodeName {
			_, err := host.Run("ctr", "--address", record.ContainerdSocket(i), "--namespace", "k8s.io", "task", "kill", "--signal", signal, id)
			return err
		}
	}
	return fmt.Errorf("pod %s/%s is on %q, which is not a real node of lab %q", target.Namespace, target.Pod, pod.Spec.NodeName, name)
}

func containerID(pod *corev1.Pod, container string) (string, error) {
	var names []string
	for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
		names = append(names, status.Name)
		if status.Name != container {
			continue
		}
		if status.State.Running == nil {
			return "", fmt.Errorf("container %s of pod %s/%s does not run", container, pod.Namespace, pod.Name)
		}
		_, id, _ := strings.Cut(status.ContainerID, "://")
		return id, nil
	}
	return "", fmt.Errorf("pod %s/%s has no container %q; it has: %s", pod.Namespace, pod.Name, container, strings.Join(names, ", "))
}
