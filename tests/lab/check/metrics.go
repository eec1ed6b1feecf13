package check

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// scaled names a Deployment, its pods' label and its autoscaler.
const scaled = "scaled"

// errWithout names a check that this lab cannot have.
var errWithout = errors.New("this lab has no metrics-server; add it with: lab metrics-server start")

// metrics checks what the API of metrics-server is used for.
func (s *session) metrics(ctx context.Context) error {
	if !s.MetricsServer {
		return errWithout
	}
	pod := scratchPod(scaled, "")
	pod.Name = ""
	if _, err := s.client.AppsV1().Deployments(namespace).Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: scaled},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: pod.Labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec},
		},
	}, metav1.CreateOptions{}); err != nil {
		return err
	}
	if _, err := s.client.AutoscalingV2().HorizontalPodAutoscalers(namespace).Create(ctx, autoscaler(), metav1.CreateOptions{}); err != nil {
		return err
	}
	if err := within(ctx, 2*time.Minute, s.autoscalerSees); err != nil {
		return err
	}
	for _, kind := range []string{"nodes", "pods"} {
		answer, err := s.kubectl("top", kind, "--no-headers")
		if err != nil {
			return err
		}
		if lines := strings.Count(answer, "\n"); lines < s.Nodes {
			return fmt.Errorf("kubectl top %s shows %d lines: %s", kind, lines, answer)
		}
	}
	return nil
}

func autoscaler() *autoscalingv2.HorizontalPodAutoscaler {
	target := resource.MustParse("100m")
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: scaled},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: scaled},
			MaxReplicas:    2,
			Metrics: []autoscalingv2.MetricSpec{{
				Type: autoscalingv2.ContainerResourceMetricSourceType,
				ContainerResource: &autoscalingv2.ContainerResourceMetricSource{
					Name: corev1.ResourceCPU, Container: "redis",
					Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: &target},
				},
			}},
		},
	}
}

// autoscalerSees fails as long as kubectl would show the target as <unknown>.
func (s *session) autoscalerSees(ctx context.Context) error {
	found, err := s.client.AutoscalingV2().HorizontalPodAutoscalers(namespace).Get(ctx, scaled, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, metric := range found.Status.CurrentMetrics {
		if metric.ContainerResource != nil && metric.ContainerResource.Current.AverageValue != nil {
			return nil
		}
	}
	return fmt.Errorf("the autoscaler has no metric: %+v", found.Status.Conditions)
}
