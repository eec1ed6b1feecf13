package commands

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"eaiser.io/operator/tests/lab/cluster"
)

func node() *cobra.Command {
	command := &cobra.Command{
		Use:   "node",
		Short: "Make nodes fail and recover",
		Example: `  lab node stop 2             # power cut: every process is killed, the disk stays
  lab node start 2
  lab node partition 3        # pulls the network cable
  lab node heal 3`,
	}
	command.AddCommand(
		nodeCommand("stop", "Cut the power of a node: its processes are killed, its disk stays", cluster.StopNode),
		nodeCommand("partition", "Cut a node off the network", cluster.PartitionNode),
		nodeCommand("heal", "Join a node to the network again", cluster.HealNode),
	)
	start := nodeCommand("start", "Boot a node that was stopped", nil)
	start.RunE = func(command *cobra.Command, arguments []string) error {
		i, err := nodeNumber(arguments[0])
		if err != nil {
			return err
		}
		return cluster.StartNode(command.Context(), labName, i, steps())
	}
	command.AddCommand(start)
	return command
}

func nodeCommand(verb, short string, act func(name string, i int) error) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " N",
		Short:   short,
		Example: "  lab node " + verb + " 2",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, arguments []string) error {
			i, err := nodeNumber(arguments[0])
			if err != nil {
				return err
			}
			return act(labName, i)
		},
	}
}

func nodeNumber(argument string) (int, error) {
	i, err := strconv.Atoi(argument)
	if err != nil {
		return 0, fmt.Errorf("%q is not the number of a node; nodes are 1, 2, …", argument)
	}
	return i, nil
}

func component() *cobra.Command {
	command := &cobra.Command{
		Use:   "component",
		Short: "Make a program of the control plane stop",
		Example: `  lab component stop kube-controller-manager
  lab up                                        # starts it again`,
	}
	command.AddCommand(&cobra.Command{
		Use:     "stop NAME",
		Short:   "End one program; `lab up` starts it again",
		Example: "  lab component stop kube-controller-manager",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, arguments []string) error {
			return cluster.StopComponent(labName, arguments[0])
		},
	})
	return command
}

func pod() *cobra.Command {
	command := &cobra.Command{Use: "pod", Short: "Make pods fail", Example: "  lab pod signal shop shop-mongodb-0 mongod SIGKILL"}
	command.AddCommand(&cobra.Command{
		Use:     "signal NAMESPACE POD CONTAINER SIGNAL",
		Short:   "Send a signal to the main process of a container",
		Example: "  lab pod signal shop shop-mongodb-0 mongod SIGKILL\n  lab pod signal shop shop-redis-0-0 redis SIGSTOP",
		Args:    cobra.ExactArgs(4),
		RunE: func(command *cobra.Command, arguments []string) error {
			target := cluster.Container{Namespace: arguments[0], Pod: arguments[1], Name: arguments[2]}
			return cluster.Signal(command.Context(), labName, target, arguments[3])
		},
	})
	return command
}
