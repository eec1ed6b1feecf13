package cluster

import (
	"context"
	"sort"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"eaiser.io/operator/tests/lab/host"
)

// Status is what `lab status` shows.
type Status struct {
	Name       string            `json:"name"`
	Network    string            `json:"network"`
	Kubeconfig string            `json:"kubeconfig"`
	APIReady   bool              `json:"apiReady"`
	Problem    string            `json:"problem,omitempty"`
	Nodes      []NodeStatus      `json:"nodes"`
	Processes  map[string]int    `json:"processes"` // 0 for one that has ended
	Images     map[string]string `json:"images"`    // on node 1: reference → id
}

// NodeStatus is one node as the API server sees it.
type NodeStatus struct {
	Name      string `json:"name"`
	Ready     bool   `json:"ready"`
	Simulated bool   `json:"simulated"`
}

// Healthy says whether everything that should run does.
func (s Status) Healthy() bool {
	for _, pid := range s.Processes {
		if pid == 0 {
			return false
		}
	}
	for _, node := range s.Nodes {
		if !node.Ready {
			return false
		}
	}
	return s.APIReady
}

// Inspect looks at the named lab.
func Inspect(ctx context.Context, name string) (Status, error) {
	record, err := Load(name)
	if err != nil {
		return Status{}, err
	}
	status := Status{
		Name:       name,
		Kubeconfig: record.AdminKubeconfig(),
		Processes:  map[string]int{},
	}
	status.Network = record.Range()
	for _, process := range record.expected() {
		status.Processes[process] = host.Pid(record.Path("pids", process))
	}
	status.Images, _ = ListImages(name)
	client, err := record.Client()
	if err != nil {
		status.Problem = err.Error()
		return status, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		status.Problem = err.Error()
		return status, nil
	}
	status.APIReady = true
	for _, node := range nodes.Items {
		status.Nodes = append(status.Nodes, NodeStatus{
			Name: node.Name, Ready: nodeReady(node), Simulated: node.Labels["type"] == "kwok",
		})
	}
	sort.Slice(status.Nodes, func(a, b int) bool { return status.Nodes[a].Name < status.Nodes[b].Name })
	return status, nil
}

// expected names the processes of a lab that is wholly up.
func (r Record) expected() []string {
	names := []string{
		"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler",
		"kube-proxy", "coredns", "volumes", "network-policy", "forward",
	}
	if r.MetricsServer {
		names = append(names, metricsServer)
	}
	if r.Simulated > 0 {
		names = append(names, "kwok")
	}
	for i := 1; i <= r.Nodes; i++ {
		for _, program := range nodePrograms {
			names = append(names, nodeProcess(program, i))
		}
	}
	return names
}
