package cluster

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/dynamic"

	"eaiser.io/operator/tests/lab/components"
	"eaiser.io/operator/tests/lab/host"
	"eaiser.io/operator/tests/lab/modules"
	"eaiser.io/operator/tests/lab/progress"
)

// metricsServer names the process, the Service and the API behind it.
const metricsServer = "metrics-server"

// StartMetricsServer adds metrics-server to a lab that is up.
func StartMetricsServer(ctx context.Context, name string, steps *progress.Printer) error {
	binary, err := modules.MetricsServer.Binary(steps)
	if err != nil {
		return err
	}
	unlock, err := lock(name)
	if err != nil {
		return err
	}
	defer unlock()
	record, err := Load(name)
	if err != nil {
		return err
	}
	// A lab of an older version lacks its certificates.
	if err := record.issue(); err != nil {
		return err
	}
	record.MetricsServer = true
	run := &running{Record: record, steps: steps}
	run.builder = components.Builder{Lab: record.Lab, Credentials: record.credentials()}
	run.builder.Binaries.MetricsServer = binary
	if err := run.startMetricsServer(ctx); err != nil {
		return err
	}
	return record.save()
}

// startMetricsServer starts it, when the lab has one, and registers its API.
func (u *running) startMetricsServer(ctx context.Context) error {
	if !u.MetricsServer {
		return nil
	}
	if err := u.startMissing(u.builder.MetricsServer()); err != nil {
		return err
	}
	if err := u.waitMetricsServer(ctx); err != nil {
		return err
	}
	if err := u.registerMetricsAPI(ctx); err != nil {
		return err
	}
	return u.waitMetrics(ctx)
}

// waitMetricsServer comes before the registration: with an API that does not
// answer, no namespace of the cluster can be deleted.
func (u *running) waitMetricsServer(ctx context.Context) error {
	dialer, err := host.NewDialer(u.Namespace())
	if err != nil {
		return err
	}
	return poll(ctx, 30*time.Second, metricsServer+" to listen", func() error {
		if err := u.alive(metricsServer); err != nil {
			return fatal{err}
		}
		connection, err := dialer.Dial(net.JoinHostPort(u.ControlAddress(), fmt.Sprint(components.MetricsServerPort)))
		if err != nil {
			return err
		}
		return connection.Close()
	})
}

// registerMetricsAPI lets the API server find a process that is no pod: by a
// Service without selector and an EndpointSlice written by hand.
func (u *running) registerMetricsAPI(ctx context.Context) error {
	client, err := u.Client()
	if err != nil {
		return err
	}
	_, err = client.CoreV1().Services(metav1.NamespaceSystem).Create(ctx, metricsService(), metav1.CreateOptions{})
	if err := orExists(err); err != nil {
		return fmt.Errorf("make Service %s: %w", metricsServer, err)
	}
	_, err = client.DiscoveryV1().EndpointSlices(metav1.NamespaceSystem).Create(ctx, metricsEndpoint(u.ControlAddress()), metav1.CreateOptions{})
	if err := orExists(err); err != nil {
		return fmt.Errorf("make EndpointSlice %s: %w", metricsServer, err)
	}
	config, err := u.RESTConfig()
	if err != nil {
		return err
	}
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(u.credentials().Path("ca.crt"))
	if err != nil {
		return err
	}
	api := metricsAPI(authority)
	_, err = objects.Resource(schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}).
		Create(ctx, api, metav1.CreateOptions{})
	if err := orExists(err); err != nil {
		return fmt.Errorf("register API %s: %w", api.GetName(), err)
	}
	return nil
}

func orExists(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func metricsService() *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: metricsServer},
		Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{
			Name: "https", Port: 443, TargetPort: intstr.FromInt32(components.MetricsServerPort),
		}}},
	}
}

func metricsEndpoint(address string) *discoveryv1.EndpointSlice {
	name, port, ready := "https", int32(components.MetricsServerPort), true
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name:   metricsServer,
			Labels: map[string]string{discoveryv1.LabelServiceName: metricsServer},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port}},
	}
}

func metricsAPI(authority []byte) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiregistration.k8s.io/v1",
		"kind":       "APIService",
		"metadata":   map[string]any{"name": "v1beta1.metrics.k8s.io"},
		"spec": map[string]any{
			"group": "metrics.k8s.io", "version": "v1beta1",
			"groupPriorityMinimum": int64(100), "versionPriority": int64(100),
			"service":  map[string]any{"name": metricsServer, "namespace": metav1.NamespaceSystem},
			"caBundle": base64.StdEncoding.EncodeToString(authority),
		},
	}}
}

// waitMetrics ends when the API answers with a node: two rounds of asking have
// passed then.
func (u *running) waitMetrics(ctx context.Context) error {
	client, err := u.Client()
	if err != nil {
		return err
	}
	u.steps.Step("wait for the first metrics")
	return poll(ctx, 90*time.Second, "metrics of a node", func() error {
		if err := u.alive(metricsServer); err != nil {
			return fatal{err}
		}
		_, err := client.Discovery().RESTClient().Get().
			AbsPath("/apis/metrics.k8s.io/v1beta1/nodes/" + u.NodeName(1)).Timeout(2 * time.Second).DoRaw(ctx)
		return err
	})
}
