package cluster

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"eaiser.io/operator/tests/lab/volumes"
)

// RESTConfig reaches the API server as administrator from the host.
func (r Record) RESTConfig() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", r.AdminKubeconfig())
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 200, 400
	config.UserAgent = "eaiser-lab"
	return config, nil
}

// Client is a client of the API server as administrator.
func (r Record) Client() (kubernetes.Interface, error) {
	config, err := r.RESTConfig()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// applyDefaults makes what a user expects to find: a default StorageClass.
func (u *running) applyDefaults(ctx context.Context) error {
	client, err := u.Client()
	if err != nil {
		return err
	}
	expand, reclaim, mode := true, corev1.PersistentVolumeReclaimDelete, storagev1.VolumeBindingWaitForFirstConsumer
	class := &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{
			Name:        volumes.ClassName,
			Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"},
		},
		Provisioner:          volumes.Provisioner,
		ReclaimPolicy:        &reclaim,
		VolumeBindingMode:    &mode,
		AllowVolumeExpansion: &expand,
	}
	_, err = client.StorageV1().StorageClasses().Create(ctx, class, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make StorageClass %s: %w", class.Name, err)
	}
	return nil
}

// startSimulated starts kwok and makes the simulated nodes that are missing.
func (u *running) startSimulated(ctx context.Context) error {
	if u.Simulated == 0 {
		return nil
	}
	if err := u.startMissing(u.builder.Kwok()); err != nil {
		return err
	}
	client, err := u.Client()
	if err != nil {
		return err
	}
	for i := 1; i <= u.Simulated; i++ {
		node := simulatedNode(u.SimulatedNodeName(i))
		_, err := client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return errors.Join(fmt.Errorf("make simulated node %s", node.Name), err)
		}
	}
	u.steps.Step("%d simulated nodes made", u.Simulated)
	return nil
}

func simulatedNode(name string) *corev1.Node {
	capacity := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("32"),
		corev1.ResourceMemory: resource.MustParse("256Gi"),
		corev1.ResourcePods:   resource.MustParse("1000"),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"},
			Labels: map[string]string{
				"type":                   "kwok",
				corev1.LabelHostname:     name,
				corev1.LabelArchStable:   "amd64",
				corev1.LabelOSStable:     "linux",
				corev1.LabelTopologyZone: "simulated",
			},
		},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{
			{Key: "kwok.x-k8s.io/node", Value: "fake", Effect: corev1.TaintEffectNoSchedule},
		}},
		Status: corev1.NodeStatus{Capacity: capacity, Allocatable: capacity},
	}
}
