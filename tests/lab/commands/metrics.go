package commands

import (
	"github.com/spf13/cobra"

	"eaiser.io/operator/tests/lab/cluster"
)

func metricsServer() *cobra.Command {
	command := &cobra.Command{
		Use:   "metrics-server",
		Short: "Add metrics-server, for `kubectl top` and autoscalers, to a lab that is up",
		Example: `  lab metrics-server start
  lab up --metrics-server       # the same, at the start of a lab`,
	}
	command.AddCommand(&cobra.Command{
		Use:     "start",
		Short:   "Start metrics-server and wait for the first metrics (about 30 s once built)",
		Example: "  lab metrics-server start && lab kubectl top nodes",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return cluster.StartMetricsServer(command.Context(), labName, steps())
		},
	})
	return command
}
