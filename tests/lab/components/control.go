// Package components knows the arguments and configuration of every program
// of a lab: what runs, where, with which flags and why.
package components

import (
	"fmt"
	"path/filepath"

	"eaiser.io/operator/tests/lab/credentials"
	"eaiser.io/operator/tests/lab/host"
	"eaiser.io/operator/tests/lab/plan"
)

// Binaries are the programs the components run from.
type Binaries struct {
	Kubernetes    string
	Addons        string
	Lab           string
	MetricsServer string // empty in a lab without
}

// Builder makes the processes of one lab.
type Builder struct {
	Lab         plan.Lab
	Binaries    Binaries
	Credentials credentials.Folder
}

// control is a process of the control plane.
func (b Builder) control(name string, command ...string) host.Process {
	return host.Process{
		Name:      name,
		Command:   command,
		Namespace: b.Lab.Namespace(),
		Cgroup:    b.Lab.ControlCgroup(),
		LogFile:   b.Lab.LogFile(name),
		PidFile:   b.PidFile(name),
	}
}

// PidFile is where the id of the named process is recorded.
func (b Builder) PidFile(name string) string { return b.Lab.Path("pids", name) }

func (b Builder) kubernetes(name string, arguments ...string) host.Process {
	return b.control(name, append([]string{b.Binaries.Kubernetes, name}, arguments...)...)
}

func (b Builder) kubeconfig(name string) string {
	return b.Credentials.Path(name + ".kubeconfig")
}

// Etcd listens on the loopback of the control plane's namespace only.
func (b Builder) Etcd() host.Process {
	return b.kubernetes("etcd",
		"--name=lab",
		"--data-dir="+b.Lab.Path("etcd"),
		"--listen-client-urls=http://127.0.0.1:2379",
		"--advertise-client-urls=http://127.0.0.1:2379",
		"--listen-peer-urls=http://127.0.0.1:2380",
		"--initial-advertise-peer-urls=http://127.0.0.1:2380",
		"--initial-cluster=lab=http://127.0.0.1:2380",
		"--log-level=warn",
		// A lab's data need not survive the machine; syncing would cost most
		// of a write's time.
		"--unsafe-no-fsync",
	)
}

// APIServer answers on the control address and on loopback.
func (b Builder) APIServer() host.Process {
	file := b.Credentials.Path
	return b.kubernetes("kube-apiserver",
		"--etcd-servers=http://127.0.0.1:2379",
		"--advertise-address="+b.Lab.ControlAddress(),
		fmt.Sprintf("--secure-port=%d", plan.APIServerPort),
		"--service-cluster-ip-range="+b.Lab.ServiceRange(),
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--token-auth-file="+file("tokens.csv"),
		"--client-ca-file="+file("ca.crt"),
		"--tls-cert-file="+file("apiserver.crt"),
		"--tls-private-key-file="+file("apiserver.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+file("service-account.key"),
		"--service-account-signing-key-file="+file("service-account.key"),
		"--kubelet-certificate-authority="+file("ca.crt"),
		"--kubelet-client-certificate="+file("apiserver-kubelet.crt"),
		"--kubelet-client-key="+file("apiserver-kubelet.key"),
		// Node names are in nobody's DNS; exec and logs would look them up.
		"--kubelet-preferred-address-types=InternalIP",
		// Aggregated APIs are reached at their pods: the control plane's
		// namespace has routes to pods.
		"--enable-aggregator-routing=true",
		"--requestheader-client-ca-file="+file("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file="+file("front-proxy-client.crt"),
		"--proxy-client-key-file="+file("front-proxy-client.key"),
		"--audit-policy-file="+b.Lab.Path("audit-policy.json"),
		"--audit-log-path="+b.Lab.AuditLog(),
		"--audit-log-maxsize=200",
		"--audit-log-maxbackup=2",
		"--profiling=false",
	)
}

// ControllerManager runs each controller as its own service account, as real
// clusters do, so that RBAC and the audit log look as they do there.
func (b Builder) ControllerManager() host.Process {
	return b.kubernetes("kube-controller-manager",
		"--kubeconfig="+b.kubeconfig("controller-manager"),
		"--bind-address=127.0.0.1",
		"--use-service-account-credentials=true",
		"--service-account-private-key-file="+b.Credentials.Path("service-account.key"),
		"--root-ca-file="+b.Credentials.Path("ca.crt"),
		"--cluster-signing-cert-file="+b.Credentials.Path("ca.crt"),
		"--cluster-signing-key-file="+b.Credentials.Path("ca.key"),
		"--cluster-cidr="+b.Lab.ClusterRange(),
		"--leader-elect=false",
		"--kube-api-qps=200",
		"--kube-api-burst=400",
	)
}

// Scheduler places pods.
func (b Builder) Scheduler() host.Process {
	return b.kubernetes("kube-scheduler",
		"--kubeconfig="+b.kubeconfig("scheduler"),
		"--bind-address=127.0.0.1",
		"--leader-elect=false",
		"--kube-api-qps=200",
		"--kube-api-burst=400",
	)
}

// CoreDNS is the cluster's DNS, a process beside the API server.
func (b Builder) CoreDNS() host.Process {
	return b.control("coredns", b.Binaries.Addons, "coredns", "-conf", b.Lab.Path("Corefile"))
}

// Corefile is CoreDNS's configuration. Answers live two seconds, so that a
// client that asks again sees a new pod soon.
func (b Builder) Corefile() string {
	return fmt.Sprintf(`.:53 {
    bind %s
    errors
    health 127.0.0.1:8080
    ready 127.0.0.1:8181
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        kubeconfig %s
        pods insecure
        ttl 2
    }
}
`, b.Lab.ControlAddress(), b.kubeconfig("coredns"))
}

// Kwok keeps simulated nodes and their pods alive.
func (b Builder) Kwok() host.Process {
	process := b.control("kwok", b.Binaries.Addons, "kwok",
		"--kubeconfig="+b.kubeconfig("kwok"),
		"--manage-all-nodes=false",
		"--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
		"--cidr="+b.Lab.SimulatedRange(),
		"--node-ip="+b.Lab.ControlAddress(),
		"--node-lease-duration-seconds=40",
		"--server-address=127.0.0.1:10247",
	)
	// kwok reads a configuration of the user's own otherwise.
	process.Env = []string{"KWOK_WORKDIR=" + b.Lab.Path("kwok")}
	return process
}

// Volumes provisions volumes of the default StorageClass.
func (b Builder) Volumes() host.Process {
	return b.control("volumes", b.Binaries.Lab, "serve", "volumes", "--name", b.Lab.Name)
}

// NetworkPolicy enforces NetworkPolicy objects: it enters the nodes' network
// namespaces to change their rules.
func (b Builder) NetworkPolicy() host.Process {
	return b.control("network-policy", b.Binaries.Lab, "serve", "network-policy", "--name", b.Lab.Name)
}

// Forward listens in the host's own network namespace and is therefore the
// only process that does not run inside the lab's.
func (b Builder) Forward() host.Process {
	process := b.control("forward", b.Binaries.Lab, "serve", "forward", "--name", b.Lab.Name)
	process.Namespace = ""
	return process
}

// ControlProxy makes Services reachable from the control plane's namespace,
// in which probes and load run. It borrows the name of node 1: kube-proxy waits
// half a minute for a node of its name to exist.
func (b Builder) ControlProxy() host.Process {
	return b.control("kube-proxy", b.proxyCommand(b.Lab.NodeName(1), b.Lab.ControlAddress())...)
}

func (b Builder) proxyCommand(node, address string) []string {
	return []string{b.Binaries.Kubernetes, "kube-proxy",
		"--kubeconfig=" + b.kubeconfig("kube-proxy"),
		"--hostname-override=" + node,
		"--bind-address=" + address,
		"--proxy-mode=nftables",
		"--cluster-cidr=" + b.Lab.ClusterRange(),
		"--healthz-bind-address=127.0.0.1:10256",
		"--metrics-bind-address=127.0.0.1:10249",
		// Zero leaves the connection tracker's settings alone: they may be
		// read-only, and kube-proxy ends when it cannot set them.
		"--conntrack-max-per-core=0",
		"--conntrack-min=0",
		"--conntrack-tcp-timeout-established=0",
		"--conntrack-tcp-timeout-close-wait=0",
	}
}

// Folders are the folders that must exist before the control plane starts.
func (b Builder) Folders() []string {
	return []string{
		b.Lab.Path("etcd"), filepath.Dir(b.Lab.AuditLog()), b.Lab.VolumesFolder(),
		b.Lab.Path("kwok"), b.Lab.Path("logs"), b.Lab.Path("pids"),
	}
}
