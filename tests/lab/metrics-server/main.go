// Command metrics-server is the Kubernetes Metrics Server, a module of its own
// because most labs do without it.
package main

import (
	"os"

	apiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/component-base/cli"
	"sigs.k8s.io/metrics-server/cmd/metrics-server/app"
)

func main() {
	os.Exit(cli.Run(app.NewMetricsServerCommand(apiserver.SetupSignalHandler())))
}
