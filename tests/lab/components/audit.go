package components

import "encoding/json"

// AuditPolicy logs who did what (not the content) for every request of users
// and of ordinary service accounts. The cluster's own components are left out,
// so that what remains can be counted.
func AuditPolicy() ([]byte, error) {
	silent := func(rule map[string]any) map[string]any {
		rule["level"] = "None"
		return rule
	}
	return json.MarshalIndent(map[string]any{
		"apiVersion": "audit.k8s.io/v1",
		"kind":       "Policy",
		"omitStages": []string{"RequestReceived"},
		"rules": []any{
			silent(map[string]any{"users": componentUsers()}),
			silent(map[string]any{"userGroups": []string{"system:nodes", "system:serviceaccounts:kube-system"}}),
			silent(map[string]any{"nonResourceURLs": []string{"/healthz*", "/livez*", "/readyz*", "/metrics"}}),
			map[string]any{"level": "Metadata"},
		},
	}, "", "  ")
}

func componentUsers() []string {
	return []string{
		"system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy",
		UserPrefix + "coredns", UserPrefix + "kwok", UserPrefix + "volumes", UserPrefix + "apiserver-kubelet",
	}
}

// UserPrefix begins the user names of the lab's own components.
const UserPrefix = "lab:"
