// Command lab runs a real Kubernetes cluster on one machine, inside network
// namespaces with no route out, for the operator's demo and end-to-end tests.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"eaiser.io/operator/tests/lab/commands"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := commands.Root().ExecuteContext(ctx)
	if err == nil {
		return
	}
	// A program run on the user's behalf has said why it failed.
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		os.Exit(max(exit.ExitCode(), 1))
	}
	fmt.Fprintln(os.Stderr, "lab:", err)
	os.Exit(1)
}
