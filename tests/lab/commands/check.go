package commands

import (
	"github.com/spf13/cobra"

	"eaiser.io/operator/tests/lab/check"
	"eaiser.io/operator/tests/lab/cluster"
	"eaiser.io/operator/tests/lab/images"
)

func checkCommand() *cobra.Command {
	work := &imageWork{}
	return &cobra.Command{
		Use:   "check",
		Short: "Prove that the lab works: pods, network, DNS, volumes, access",
		Long: `Prove on a lab that is up that pods under Pod Security "restricted" run on every
node and answer each other by address, Service and name; that claims are bound
and writable for a user that is not root; and that logs, exec and port-forward
work. Everything happens in a namespace that is removed at the end.`,
		Example: "  lab check",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := work.prepare(); err != nil {
				return err
			}
			err := work.buildEach([]string{"redis"}, func(built images.Built) error {
				return cluster.LoadImage(labName, built, work.steps)
			})
			if err != nil {
				return err
			}
			record, err := cluster.Load(labName)
			if err != nil {
				return err
			}
			return check.Run(command.Context(), record, work.steps)
		},
	}
}
