package plan

import (
	"fmt"
	"path/filepath"
)

// LabsFolder holds one folder per lab. It is not in the user's cache because
// unix socket paths must stay short and because a lab is not a cache.
const LabsFolder = "/var/lib/eaiser-lab"

// Folder holds everything a lab writes; `lab down` removes it.
func (l Lab) Folder() string { return filepath.Join(LabsFolder, l.Name) }

// Path is a path inside the lab's folder.
func (l Lab) Path(parts ...string) string {
	return filepath.Join(append([]string{l.Folder()}, parts...)...)
}

// NodeFolder holds everything node i (from 1) writes, images included.
func (l Lab) NodeFolder(i int) string { return l.Path(fmt.Sprintf("n%d", i)) }

// ContainerdSocket is where containerd of node i answers.
func (l Lab) ContainerdSocket(i int) string {
	return filepath.Join(l.NodeFolder(i), "containerd.sock")
}

// RecordFile keeps what was decided when the lab was first brought up.
func (l Lab) RecordFile() string { return l.Path("lab.json") }

// AdminKubeconfig works from the host's own network namespace.
func (l Lab) AdminKubeconfig() string { return l.Path("kubeconfig") }

// ClusterKubeconfig works inside the cluster network.
func (l Lab) ClusterKubeconfig() string { return l.Path("credentials", "admin.kubeconfig") }

// AuditLog receives one JSON line per audited request.
func (l Lab) AuditLog() string { return l.Path("audit", "audit.log") }

// NodeResolverFile is the resolv.conf of the nodes. It has no search list: a
// kubelet would add that to every pod's own.
func (l Lab) NodeResolverFile() string { return l.Path("resolv.conf") }

// ResolverFile is the resolv.conf of commands run inside the cluster network.
func (l Lab) ResolverFile() string { return l.Path("resolv-inside.conf") }

// VolumesFolder holds one folder per provisioned volume.
func (l Lab) VolumesFolder() string { return l.Path("volumes") }

// LogFile is the output of one component, such as "kubelet-n1".
func (l Lab) LogFile(component string) string { return l.Path("logs", component+".log") }
