package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"eaiser.io/operator/tests/lab/components"
	"eaiser.io/operator/tests/lab/host"
	"eaiser.io/operator/tests/lab/modules"
	"eaiser.io/operator/tests/lab/plan"
	"eaiser.io/operator/tests/lab/progress"
)

// Wanted is what `up` was asked for; a negative number means: as it was, or
// the default.
type Wanted struct {
	Name      string
	Nodes     int
	Simulated int
	// MetricsServer asks for metrics-server; false leaves it as it was.
	MetricsServer bool
}

const defaultNodes = 3

// Up brings the lab up, or completes one that is partly up. It may be
// repeated; what runs is left alone.
func Up(ctx context.Context, wanted Wanted, steps *progress.Printer) error {
	if err := prepareHost(steps); err != nil {
		return err
	}
	builder := components.Builder{}
	if err := findBinaries(&builder.Binaries, steps); err != nil {
		return err
	}
	unlock, err := lock(wanted.Name)
	if err != nil {
		return err
	}
	defer unlock()
	record, err := loadOrPlan(wanted.Name)
	if err != nil {
		return err
	}
	if err := record.resize(wanted); err != nil {
		return err
	}
	record.MetricsServer = record.MetricsServer || wanted.MetricsServer
	if record.MetricsServer {
		if builder.Binaries.MetricsServer, err = modules.MetricsServer.Binary(steps); err != nil {
			return err
		}
	}
	builder.Lab, builder.Credentials = record.Lab, record.credentials()
	run := &running{Record: record, builder: builder, steps: steps}
	return run.up(ctx)
}

// running is a lab being worked on.
type running struct {
	Record
	builder components.Builder
	steps   *progress.Printer
}

func prepareHost(steps *progress.Printer) error {
	if err := host.RequireRoot(); err != nil {
		return err
	}
	if missing := host.MissingPackages(); len(missing) > 0 {
		steps.Step("install Debian packages: %v", missing)
		return host.InstallPackages(missing)
	}
	return nil
}

func findBinaries(binaries *components.Binaries, steps *progress.Printer) error {
	var err error
	if binaries.Kubernetes, err = modules.Kubernetes.Binary(steps); err != nil {
		return err
	}
	if binaries.Addons, err = modules.Addons.Binary(steps); err != nil {
		return err
	}
	binaries.Lab, err = os.Executable()
	return err
}

func (r *Record) resize(wanted Wanted) error {
	switch {
	case wanted.Nodes < 0 && r.Nodes == 0:
		r.Nodes = defaultNodes
	case wanted.Nodes < 0:
	case wanted.Nodes < r.Nodes:
		return fmt.Errorf("lab %q has %d nodes and cannot shrink to %d; take it down first: lab down --name %s", r.Name, r.Nodes, wanted.Nodes, r.Name)
	default:
		r.Nodes = wanted.Nodes
	}
	if r.Nodes < 1 || r.Nodes > plan.MaxNodes {
		return fmt.Errorf("a lab has 1 to %d nodes, not %d", plan.MaxNodes, r.Nodes)
	}
	if wanted.Simulated >= 0 {
		r.Simulated = max(r.Simulated, wanted.Simulated)
	}
	return nil
}

func (u *running) up(ctx context.Context) error {
	u.steps.Step("lab %s: %d nodes, %d simulated, network 10.%d.0.0/16", u.Name, u.Nodes, u.Simulated, u.Octet)
	pauseImage, err := ensurePause(u.steps)
	if err != nil {
		return err
	}
	if err := u.writeFiles(); err != nil {
		return err
	}
	if err := u.connect(); err != nil {
		return err
	}
	if err := u.startControl(ctx); err != nil {
		return err
	}
	if err := u.startNodes(ctx, pauseImage); err != nil {
		return err
	}
	if err := u.startSimulated(ctx); err != nil {
		return err
	}
	if err := u.startMetricsServer(ctx); err != nil {
		return err
	}
	if err := u.waitReady(ctx); err != nil {
		return err
	}
	u.steps.Step("lab %s is up; export KUBECONFIG=%s", u.Name, u.AdminKubeconfig())
	return nil
}

// writeFiles decides the forwarder's port and writes what the control plane
// reads at its start.
func (u *running) writeFiles() error {
	if host.Pid(u.builder.PidFile("forward")) == 0 {
		port, err := freePort(u.ForwardPort)
		if err != nil {
			return err
		}
		u.ForwardPort = port
	}
	if err := u.save(); err != nil {
		return err
	}
	for _, folder := range u.builder.Folders() {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	if err := u.issue(); err != nil {
		return err
	}
	policy, err := components.AuditPolicy()
	if err != nil {
		return err
	}
	resolver := fmt.Sprintf("nameserver %s\n", u.ControlAddress())
	search := "search default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n"
	files := map[string]string{
		u.Path("audit-policy.json"): string(policy),
		u.Path("Corefile"):          u.builder.Corefile(),
		u.NodeResolverFile():        resolver,
		u.ResolverFile():            resolver + search,
	}
	for path, content := range files {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return u.linkPrograms()
}

// linkPrograms lays kubectl and helm where `lab exec` finds them.
func (u *running) linkPrograms() error {
	links := map[string]string{"kubectl": u.builder.Binaries.Kubernetes, "helm": u.builder.Binaries.Addons}
	if err := os.MkdirAll(u.Path("bin"), 0o755); err != nil {
		return err
	}
	for name, target := range links {
		link := u.Path("bin", name)
		_ = os.Remove(link)
		if err := os.Symlink(target, link); err != nil {
			return err
		}
	}
	return nil
}

// startMissing starts the processes that do not run.
func (u *running) startMissing(processes ...host.Process) error {
	for _, process := range processes {
		if host.Pid(process.PidFile) != 0 {
			continue
		}
		u.steps.Step("start %s", process.Name)
		if err := host.Start(process); err != nil {
			return err
		}
	}
	return nil
}

func (u *running) startControl(ctx context.Context) error {
	if err := host.MakeCgroup(u.ControlCgroup()); err != nil {
		return err
	}
	if err := u.startMissing(u.builder.Etcd(), u.builder.APIServer(), u.builder.Forward()); err != nil {
		return err
	}
	if err := u.waitAPI(ctx); err != nil {
		return err
	}
	u.steps.Step("API server is ready")
	if err := u.startMissing(
		u.builder.ControllerManager(), u.builder.Scheduler(),
		u.builder.CoreDNS(), u.builder.Volumes(), u.builder.NetworkPolicy(), u.builder.ControlProxy(),
	); err != nil {
		return err
	}
	return u.applyDefaults(ctx)
}

// alive fails when a process has ended, with the end of what it said.
func (u *running) alive(names ...string) error {
	for _, name := range names {
		if host.Pid(u.builder.PidFile(name)) == 0 {
			return fmt.Errorf("%s has ended; the end of its log (lab logs %s):\n%s", name, name, Tail(u.LogFile(name), 8))
		}
	}
	return nil
}

func (u *running) waitAPI(ctx context.Context) error {
	return poll(ctx, time.Minute, "the API server to be ready", func() error {
		if err := u.alive("etcd", "kube-apiserver", "forward"); err != nil {
			return fatal{err}
		}
		client, err := u.Client()
		if err != nil {
			return err
		}
		_, err = client.Discovery().RESTClient().Get().AbsPath("/readyz").Timeout(2 * time.Second).DoRaw(ctx)
		return err
	})
}

func writeFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}
