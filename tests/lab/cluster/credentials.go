package cluster

import (
	"fmt"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"eaiser.io/operator/tests/lab/components"
	"eaiser.io/operator/tests/lab/credentials"
)

// issue makes every certificate, token and kubeconfig that is missing.
func (r Record) issue() error {
	folder := r.credentials()
	for _, authority := range []string{"ca", "front-proxy-ca"} {
		if err := folder.Authority(authority); err != nil {
			return err
		}
	}
	if !folder.Has("service-account.key") {
		if _, err := folder.Key("service-account"); err != nil {
			return err
		}
	}
	if err := r.issueServers(folder); err != nil {
		return err
	}
	if err := r.issueAdmin(folder); err != nil {
		return err
	}
	for name, subject := range r.clients() {
		if err := folder.Certificate("ca", name, subject); err != nil {
			return err
		}
		user, err := folder.CertificateUser(name)
		if err != nil {
			return err
		}
		config, err := folder.Kubeconfig(r.APIServerURL(), r.Name, user)
		if err != nil {
			return err
		}
		if err := folder.WriteFile(name+".kubeconfig", string(config)); err != nil {
			return err
		}
	}
	return nil
}

func (r Record) credentials() credentials.Folder {
	return credentials.Folder(r.Path("credentials"))
}

func (r Record) issueServers(folder credentials.Folder) error {
	if err := folder.Certificate("ca", "apiserver", credentials.Subject{
		User:      "kube-apiserver",
		Addresses: []string{"127.0.0.1", r.ControlAddress(), r.APIServiceAddress()},
		Names:     []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
	}); err != nil {
		return err
	}
	if err := folder.Certificate("ca", "apiserver-kubelet", credentials.Subject{
		User: components.UserPrefix + "apiserver-kubelet", Groups: []string{"system:masters"},
	}); err != nil {
		return err
	}
	if err := folder.Certificate("ca", "metrics-server-serving", credentials.Subject{
		User:      "metrics-server",
		Addresses: []string{r.ControlAddress()},
		Names:     []string{metricsServer + "." + metav1.NamespaceSystem + ".svc"},
	}); err != nil {
		return err
	}
	return folder.Certificate("front-proxy-ca", "front-proxy-client", credentials.Subject{User: "front-proxy-client"})
}

// issueAdmin writes the two kubeconfigs of the administrator: one for the host
// and one for inside the cluster network.
func (r Record) issueAdmin(folder credentials.Folder) error {
	token, err := folder.Token("admin.token")
	if err != nil {
		return err
	}
	if err := folder.WriteFile("tokens.csv", token+`,admin,admin,"system:masters"`+"\n"); err != nil {
		return err
	}
	inside, err := folder.Kubeconfig(r.APIServerURL(), r.Name, credentials.TokenUser(token))
	if err != nil {
		return err
	}
	if err := os.WriteFile(r.ClusterKubeconfig(), inside, 0o600); err != nil {
		return err
	}
	outside, err := folder.Kubeconfig(fmt.Sprintf("https://127.0.0.1:%d", r.ForwardPort), r.Name, credentials.TokenUser(token))
	if err != nil {
		return err
	}
	return os.WriteFile(r.AdminKubeconfig(), outside, 0o600)
}

// clients are the programs that talk to the API server. Kubernetes' own get
// the roles they have everywhere; the lab's own are administrators.
func (r Record) clients() map[string]credentials.Subject {
	clients := map[string]credentials.Subject{
		"controller-manager": {User: "system:kube-controller-manager"},
		"scheduler":          {User: "system:kube-scheduler"},
		"kube-proxy":         {User: "system:kube-proxy"},
	}
	for _, name := range []string{"coredns", "kwok", "volumes", "network-policy", "metrics-server"} {
		clients[name] = credentials.Subject{User: components.UserPrefix + name, Groups: []string{"system:masters"}}
	}
	for i := 1; i <= r.Nodes; i++ {
		clients[r.NodeName(i)] = credentials.Subject{
			User:      "system:node:" + r.NodeName(i),
			Groups:    []string{"system:nodes"},
			Addresses: []string{r.NodeAddress(i)},
			Names:     []string{r.NodeName(i)},
		}
	}
	return clients
}
