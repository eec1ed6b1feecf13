package commands

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"eaiser.io/operator/tests/lab/cluster"
)

func kubeconfig() *cobra.Command {
	return &cobra.Command{
		Use:     "kubeconfig",
		Short:   "Print the path of the kubeconfig, which works from the host",
		Example: "  export KUBECONFIG=$(lab kubeconfig)",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			record, err := cluster.Load(labName)
			if err == nil {
				fmt.Fprintln(command.OutOrStdout(), record.AdminKubeconfig())
			}
			return err
		},
	}
}

func kubectl() *cobra.Command {
	return program("kubectl", "Run kubectl against the lab", "  lab kubectl get pods -A\n  lab --name second kubectl apply -f eaiser.yaml")
}

func helm() *cobra.Command {
	return program("helm", "Run helm against the lab", "  lab helm install eaiser charts/eaiser-operator -n eaiser-system --create-namespace\n  lab --name second helm list -A")
}

// program passes every argument on; the lab's own --name comes before it, or
// directly after it.
func program(name, short, example string) *cobra.Command {
	return &cobra.Command{
		Use:                name + " ARGUMENTS…",
		Short:              short,
		Long:               short + ". The lab's --name stands before its first argument.",
		Example:            example,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, arguments []string) error {
			lab, rest := splitName(labName, arguments)
			record, err := cluster.Load(lab)
			if err != nil {
				return err
			}
			return become(record.Program(name, rest))
		},
	}
}

// splitName takes a leading --name off arguments that are otherwise not ours.
func splitName(name string, arguments []string) (string, []string) {
	if len(arguments) == 0 {
		return name, arguments
	}
	if value, found := strings.CutPrefix(arguments[0], "--name="); found {
		return value, arguments[1:]
	}
	if arguments[0] == "--name" && len(arguments) > 1 {
		return arguments[1], arguments[2:]
	}
	return name, arguments
}

func enter() *cobra.Command {
	return &cobra.Command{
		Use:   "exec -- COMMAND…",
		Short: "Run a command of this machine inside the cluster network",
		Long: `Run a command of this machine inside the cluster network: pods, Services and
their DNS names answer, nothing else does. kubectl and helm are on PATH and
KUBECONFIG is set. The lab becomes the command, so a process id recorded for
"lab exec" is the command's own, and signals to it reach the command.`,
		Example: `  lab exec -- curl -s http://gateway.shop.svc.cluster.local/
  lab exec -- kubectl get nodes
  lab exec -- kubectl get pods -A --watch & watcher=$!; …; kill "$watcher"`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, arguments []string) error {
			record, err := cluster.Load(labName)
			if err != nil {
				return err
			}
			return become(record.Enter(arguments))
		},
	}
}

// become replaces this process by the command, which keeps its id, input,
// output and signals. It returns only when that fails.
func become(command *exec.Cmd) error {
	if command.Err != nil {
		return command.Err
	}
	return fmt.Errorf("run %s: %w", command.Path, syscall.Exec(command.Path, command.Args, command.Env))
}

func audit() *cobra.Command {
	return &cobra.Command{
		Use:     "audit",
		Short:   "Print the path of the API server's audit log (JSON lines)",
		Example: "  tail -f \"$(lab audit)\"",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			record, err := cluster.Load(labName)
			if err == nil {
				fmt.Fprintln(command.OutOrStdout(), record.AuditLog())
			}
			return err
		},
	}
}

func logs() *cobra.Command {
	return &cobra.Command{
		Use:     "logs COMPONENT",
		Short:   "Print the log of one component",
		Example: "  lab logs kube-apiserver\n  lab logs kubelet-n2",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			record, err := cluster.Load(labName)
			if err != nil {
				return err
			}
			if len(arguments) == 1 {
				if file, err := os.Open(record.LogFile(arguments[0])); err == nil {
					defer file.Close()
					_, err = io.Copy(command.OutOrStdout(), file)
					return err
				}
			}
			files, _ := filepath.Glob(record.LogFile("*"))
			var names []string
			for _, file := range files {
				names = append(names, strings.TrimSuffix(filepath.Base(file), ".log"))
			}
			return fmt.Errorf("name one of these components: %s", strings.Join(names, ", "))
		},
	}
}

func serve() *cobra.Command {
	command := &cobra.Command{Use: "serve", Short: "Run a part of a lab; `lab up` starts these", Hidden: true}
	command.AddCommand(
		&cobra.Command{Use: "volumes", Args: cobra.NoArgs, RunE: func(command *cobra.Command, _ []string) error {
			return cluster.ServeVolumes(command.Context(), labName)
		}},
		&cobra.Command{Use: "network-policy", Args: cobra.NoArgs, RunE: func(command *cobra.Command, _ []string) error {
			return cluster.ServeNetworkPolicy(command.Context(), labName)
		}},
		&cobra.Command{Use: "forward", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
			return cluster.ServeForward(labName)
		}},
	)
	return command
}
