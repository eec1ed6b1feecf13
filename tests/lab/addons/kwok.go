package main

// kwok, which keeps simulated nodes and their pods alive without running them.
import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"
	nodefast "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	nodelease "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	podfast "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	"sigs.k8s.io/kwok/pkg/config"
	"sigs.k8s.io/kwok/pkg/kwok/cmd"
	"sigs.k8s.io/kwok/pkg/log"
	"sigs.k8s.io/kwok/pkg/utils/signals"
)

// stages are kwok's own descriptions of how nodes and pods come and go: nodes
// keep a lease, pods are Ready at once and end when deleted.
var stages = []string{
	nodefast.DefaultNodeInit, nodelease.DefaultNodeHeartbeatWithLease,
	podfast.DefaultPodReady, podfast.DefaultPodComplete, podfast.DefaultPodDelete,
}

// writeStages writes the stages into kwok's working folder.
func writeStages() (string, error) {
	folder := os.Getenv("KWOK_WORKDIR")
	if folder == "" {
		return "", fmt.Errorf("KWOK_WORKDIR is not set")
	}
	path := filepath.Join(folder, "stages.yaml")
	return path, os.WriteFile(path, []byte(strings.Join(stages, "\n---\n")), 0o644)
}

func kwok() {
	path, err := writeStages()
	if err != nil {
		fmt.Fprintf(os.Stderr, "kwok: write stages: %v\n", err)
		os.Exit(1)
	}
	os.Args = append(os.Args, "--config="+path)
	flags := pflag.NewFlagSet("global", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.Usage = func() {}

	ctx, _ := log.InitFlags(signals.SetupSignalContext(), flags)
	ctx, err = config.InitFlags(ctx, flags)
	if err != nil {
		fmt.Fprintf(os.Stderr, "kwok: read flags: %v\n", err)
		os.Exit(1)
	}
	command := cmd.NewCommand(ctx)
	command.PersistentFlags().AddFlagSet(flags)
	if err := command.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "kwok: %v\n", err)
		os.Exit(1)
	}
}
