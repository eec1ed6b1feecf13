// Package commands is the lab's command line.
package commands

import (
	"os"

	"github.com/spf13/cobra"

	"eaiser.io/operator/tests/lab/progress"
)

// labName is the value of the flag every command has.
var labName string

// Root is the command `lab` with all its subcommands.
func Root() *cobra.Command {
	root := &cobra.Command{
		Use:   "lab",
		Short: "A real Kubernetes cluster on one machine",
		Long: `A real Kubernetes cluster on one machine: etcd, API server, controller manager
and scheduler, and for each node kubelet, kube-proxy, containerd and runc, in
network namespaces with no route out. Labs of different names run side by side.`,
		Example: `  lab up                      # three nodes, about half a minute once built
  lab image load              # build every image and load it into the nodes
  lab kubectl get nodes
  export KUBECONFIG=$(lab kubeconfig)
  lab down`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&labName, "name", "lab", "name of the lab")
	root.AddCommand(
		up(), down(), status(), build(), checkCommand(),
		kubeconfig(), kubectl(), helm(), enter(),
		image(), node(), component(), pod(), metricsServer(),
		audit(), logs(), serve(),
	)
	return root
}

// steps prints progress for a command that takes its time.
func steps() *progress.Printer { return progress.New(os.Stderr) }
