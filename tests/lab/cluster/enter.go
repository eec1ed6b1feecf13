package cluster

import (
	"os"
	"os/exec"
	"strings"

	"eaiser.io/operator/tests/lab/host"
)

// resolverScript shows the cluster's resolv.conf ($1) to the command alone.
const resolverScript = `mount --bind "$1" "$(readlink -f /etc/resolv.conf)" || exit 125
shift; exec "$@"`

// Enter prepares a command of the host that runs in the control plane's
// network namespace, resolves names as a pod does, and finds kubectl, helm and
// a KUBECONFIG that works there.
func (r Record) Enter(command []string) *exec.Cmd {
	inside := append([]string{
		"unshare", "--mount", "--propagation=slave", "/bin/sh", "-c", resolverScript, "exec", r.ResolverFile(),
	}, command...)
	full := host.Inside(r.Namespace(), inside...)
	prepared := exec.Command(full[0], full[1:]...)
	prepared.Env = r.environment(r.ClusterKubeconfig())
	return prepared
}

// Program prepares kubectl or helm, run in the host's own network namespace.
func (r Record) Program(name string, arguments []string) *exec.Cmd {
	prepared := exec.Command(r.Path("bin", name), arguments...)
	prepared.Env = r.environment(r.AdminKubeconfig())
	return prepared
}

func (r Record) environment(kubeconfig string) []string {
	var environment []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		switch strings.ToUpper(name) {
		case "KUBECONFIG", "PATH", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY":
			// A proxy of the host's cannot be reached from inside.
		default:
			environment = append(environment, variable)
		}
	}
	return append(environment, "KUBECONFIG="+kubeconfig, "PATH="+r.Path("bin")+":"+os.Getenv("PATH"))
}
