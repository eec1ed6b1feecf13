package components

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"eaiser.io/operator/tests/lab/host"
)

// PauseImage holds a pod's namespaces open.
const PauseImage = "localhost/eaiser/pause:1"

func (b Builder) node(i int, program string, command ...string) host.Process {
	name := fmt.Sprintf("%s-n%d", program, i)
	return host.Process{
		Name:      name,
		Command:   command,
		Namespace: b.Lab.NodeName(i),
		Cgroup:    b.Lab.DaemonCgroup(i),
		LogFile:   b.Lab.LogFile(name),
		PidFile:   b.PidFile(name),
	}
}

// nodeMounts are folders of a node and the paths, built into programs, at
// which they appear.
var nodeMounts = [][2]string{
	{"var-lib-kubelet", "/var/lib/kubelet"},
	{"pod-logs", "/var/log/pods"},
	{"container-logs", "/var/log/containers"},
	{"shims", "/run/containerd"},
}

// NodeMountPoints are the folders of the host on which nodes lay their own.
func NodeMountPoints() []string {
	var points []string
	for _, mount := range nodeMounts {
		points = append(points, mount[1])
	}
	return points
}

// Containerd runs in a mount namespace of its own, in which the folders whose
// paths programs have built in are the node's own. All mounts of the node end
// with its last process.
func (b Builder) Containerd(i int) host.Process {
	process := b.node(i, "containerd", "containerd", "--config", filepath.Join(b.Lab.NodeFolder(i), "containerd.toml"))
	for _, mount := range nodeMounts {
		process.Unshare = append(process.Unshare, filepath.Join(b.Lab.NodeFolder(i), mount[0])+":"+mount[1])
	}
	return process
}

// ContainerdConfig is containerd's configuration on node i.
func (b Builder) ContainerdConfig(i int) string {
	folder := b.Lab.NodeFolder(i)
	return fmt.Sprintf(`version = 2
root = %q
state = %q
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = %q
[ttrpc]
  address = %q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  # Without it every sandbox dies where the machine forbids lowering the score.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = %q
`, filepath.Join(folder, "containerd"), filepath.Join(folder, "state"),
		b.Lab.ContainerdSocket(i), b.Lab.ContainerdSocket(i)+".ttrpc",
		PauseImage, filepath.Join(folder, "cni"))
}

// NetworkConfig is the CNI configuration of node i. Each pod has a link of its
// own to the node (ptp), so all its packets are routed: traffic between two
// pods of a node passes the Service rules, and any policy, like all other.
func (b Builder) NetworkConfig(i int) ([]byte, error) {
	return json.MarshalIndent(map[string]any{
		"cniVersion": "0.4.0",
		"name":       "lab",
		"plugins": []any{map[string]any{
			"type":   "ptp",
			"ipMasq": false,
			"ipam": map[string]any{
				"type":    "host-local",
				"dataDir": filepath.Join(b.Lab.NodeFolder(i), "addresses"),
				"ranges":  []any{[]any{map[string]any{"subnet": b.Lab.PodRange(i)}}},
				"routes":  []any{map[string]any{"dst": "0.0.0.0/0"}},
			},
		}},
	}, "", "  ")
}

// Kubelet runs in the mount namespace of containerd, whose id is given.
func (b Builder) Kubelet(i, containerd int) host.Process {
	process := b.node(i, "kubelet", b.Binaries.Kubernetes, "kubelet",
		"--config="+filepath.Join(b.Lab.NodeFolder(i), "kubelet.json"),
		"--kubeconfig="+b.kubeconfig(b.Lab.NodeName(i)),
		"--hostname-override="+b.Lab.NodeName(i),
		"--node-ip="+b.Lab.NodeAddress(i),
		"--node-labels=topology.kubernetes.io/zone="+fmt.Sprintf("zone-%d", i),
		"--root-dir=/var/lib/kubelet",
	)
	process.Mounts = containerd
	return process
}

// KubeletConfig is the kubelet's configuration on node i.
func (b Builder) KubeletConfig(i int) ([]byte, error) {
	socket := "unix://" + b.Lab.ContainerdSocket(i)
	return json.MarshalIndent(map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1",
		"kind":       "KubeletConfiguration",
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false},
			"webhook":   map[string]any{"enabled": true},
			"x509":      map[string]any{"clientCAFile": b.Credentials.Path("ca.crt")},
		},
		"authorization":            map[string]any{"mode": "Webhook"},
		"tlsCertFile":              b.Credentials.Path(b.Lab.NodeName(i) + ".crt"),
		"tlsPrivateKeyFile":        b.Credentials.Path(b.Lab.NodeName(i) + ".key"),
		"containerRuntimeEndpoint": socket,
		"imageServiceEndpoint":     socket,
		"clusterDNS":               []string{b.Lab.ControlAddress()},
		"clusterDomain":            "cluster.local",
		"resolvConf":               b.Lab.NodeResolverFile(),
		"cgroupDriver":             "cgroupfs",
		"cgroupRoot":               b.Lab.NodeCgroup(i),
		"enforceNodeAllocatable":   []string{},
		"failCgroupV1":             false,
		"failSwapOn":               false,
		"makeIPTablesUtilChains":   false,
		// Images were loaded, not pulled; collecting them would lose them.
		"imageGCHighThresholdPercent": 100,
		"imageGCLowThresholdPercent":  99,
		"evictionHard": map[string]any{
			"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%",
		},
		"registerNode":                              true,
		"maxPods":                                   110,
		"serializeImagePulls":                       false,
		"kubeAPIQPS":                                100,
		"kubeAPIBurst":                              200,
		"nodeStatusUpdateFrequency":                 "10s",
		"rotateCertificates":                        false,
		"shutdownGracePeriod":                       "0s",
		"volumeStatsAggPeriod":                      "1m0s",
		"syncFrequency":                             "1m0s",
		"fileCheckFrequency":                        "0s",
		"healthzBindAddress":                        "127.0.0.1",
		"containerLogMaxSize":                       "20Mi",
		"configMapAndSecretChangeDetectionStrategy": "Watch",
	}, "", "  ")
}

// NodeProxy is kube-proxy on node i.
func (b Builder) NodeProxy(i int) host.Process {
	return b.node(i, "kube-proxy", b.proxyCommand(b.Lab.NodeName(i), b.Lab.NodeAddress(i))...)
}

// NodeFolders are the folders that must exist before node i starts.
func (b Builder) NodeFolders(i int) []string {
	folder := b.Lab.NodeFolder(i)
	return []string{folder, filepath.Join(folder, "cni"), filepath.Join(folder, "addresses")}
}
