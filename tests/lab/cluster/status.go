package cluster

import (
	"context"
	"os"
	"path/filepath"
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
	entries, err := os.ReadDir(record.Path("pids"))
	if err != nil {
		return status, nil
	}
	for _, entry := range entries {
		status.Processes[entry.Name()] = host.Pid(filepath.Join(record.Path("pids"), entry.Name()))
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
