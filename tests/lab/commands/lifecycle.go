package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/spf13/cobra"

	"eaiser.io/operator/tests/lab/cluster"
	"eaiser.io/operator/tests/lab/modules"
)

func up() *cobra.Command {
	wanted := cluster.Wanted{}
	command := &cobra.Command{
		Use:   "up",
		Short: "Bring the lab up, or complete one that is partly up",
		Long: `Bring the lab up and wait until nodes are Ready and DNS and Services answer.
What runs already is left alone, so repeating the command repairs a lab.

Once the programs are built, a lab of three nodes is up after 10 to 30 seconds
and takes about 2 GiB of memory before its own pods. The first time, programs
are built for about 15 minutes on 2 cores; have 3 GB of memory and 4 GB of disk
free. metrics-server adds about 4 minutes of building, once.`,
		Example: `  lab up
  lab up --nodes 5
  lab up --simulated 100      # also 100 nodes without machines, for scale
  lab up --metrics-server     # also container CPU for autoscalers
  lab up --name second`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			wanted.Name = labName
			return cluster.Up(command.Context(), wanted, steps())
		},
	}
	command.Flags().IntVar(&wanted.Nodes, "nodes", -1, "how many real nodes (3, or as many as the lab has)")
	command.Flags().IntVar(&wanted.Simulated, "simulated", -1, "how many simulated nodes, tainted kwok.x-k8s.io/node=fake:NoSchedule (none, or as many as the lab has)")
	command.Flags().BoolVar(&wanted.MetricsServer, "metrics-server", false, "also metrics-server, for kubectl top and autoscalers (kept by the lab)")
	return command
}

func down() *cobra.Command {
	return &cobra.Command{
		Use:     "down",
		Short:   "End the lab and remove everything it made",
		Example: "  lab down\n  lab down --name second",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return cluster.Down(labName, steps())
		},
	}
}

// errUnhealthy makes `lab status` fail for scripts.
var errUnhealthy = errors.New("not everything of the lab runs; `lab up` repairs it, `lab logs COMPONENT` shows why")

func status() *cobra.Command {
	output := ""
	command := &cobra.Command{
		Use:     "status",
		Short:   "Show nodes, processes and images; fails when the lab is not healthy",
		Example: "  lab status\n  lab status -o json",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			found, err := cluster.Inspect(command.Context(), labName)
			if err != nil {
				return err
			}
			switch output {
			case "json":
				encoder := json.NewEncoder(command.OutOrStdout())
				encoder.SetIndent("", "  ")
				err = encoder.Encode(found)
			case "":
				printStatus(command.OutOrStdout(), found)
			default:
				return fmt.Errorf("output format %q is not known; use json or leave it out", output)
			}
			if err == nil && !found.Healthy() {
				return errUnhealthy
			}
			return err
		},
	}
	command.Flags().StringVarP(&output, "output", "o", "", "json, or empty for a table")
	return command
}

func printStatus(out io.Writer, status cluster.Status) {
	fmt.Fprintf(out, "lab         %s\nnetwork     %s\nkubeconfig  %s\nAPI server  %s\n", status.Name, status.Network, status.Kubeconfig, ready(status.APIReady))
	if status.Problem != "" {
		fmt.Fprintf(out, "            %s\n", status.Problem)
	}
	simulated := 0
	for _, node := range status.Nodes {
		if node.Simulated {
			simulated++
			continue
		}
		fmt.Fprintf(out, "node        %-12s %s\n", node.Name, ready(node.Ready))
	}
	if simulated > 0 {
		fmt.Fprintf(out, "simulated   %d nodes\n", simulated)
	}
	for _, name := range sortedKeys(status.Processes) {
		state := fmt.Sprintf("pid %d", status.Processes[name])
		if status.Processes[name] == 0 {
			state = "ENDED"
		}
		fmt.Fprintf(out, "process     %-24s %s\n", name, state)
	}
	for _, reference := range sortedKeys(status.Images) {
		fmt.Fprintf(out, "image       %-40s %.12s\n", reference, status.Images[reference])
	}
}

func ready(yes bool) string {
	if yes {
		return "ready"
	}
	return "NOT READY"
}

func sortedKeys[V any](values map[string]V) []string {
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

func build() *cobra.Command {
	return &cobra.Command{
		Use:       "build [metrics-server]",
		Short:     "Build the cluster's programs into the cache (once; minutes the first time)",
		Example:   "  lab build\n  lab build metrics-server    # only what `lab up --metrics-server` needs besides",
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{modules.MetricsServer.Name},
		RunE: func(command *cobra.Command, arguments []string) error {
			printer := steps()
			wanted := []modules.Module{modules.Kubernetes, modules.Addons}
			if len(arguments) == 1 {
				wanted = []modules.Module{modules.MetricsServer}
			}
			for _, module := range wanted {
				binary, err := module.Binary(printer)
				if err != nil {
					return err
				}
				fmt.Fprintln(command.OutOrStdout(), binary)
			}
			return nil
		},
	}
}
