package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"eaiser.io/operator/tests/lab/components"
	"eaiser.io/operator/tests/lab/host"
	"eaiser.io/operator/tests/lab/images"
	"eaiser.io/operator/tests/lab/modules"
	"eaiser.io/operator/tests/lab/progress"
)

// startNodes starts every node that does not run, side by side.
func (u *running) startNodes(ctx context.Context, pause images.Built) error {
	group, ctx := errgroup.WithContext(ctx)
	for i := 1; i <= u.Nodes; i++ {
		group.Go(func() error {
			if err := u.startNode(ctx, i, pause); err != nil {
				return fmt.Errorf("node %s: %w", u.NodeName(i), err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (u *running) startNode(ctx context.Context, i int, pause images.Built) error {
	containerd := u.builder.Containerd(i)
	if host.Pid(containerd.PidFile) == 0 {
		// Without its containerd, what is left of a node lives in a mount
		// namespace that can no longer be completed.
		if err := u.killNode(i); err != nil {
			return err
		}
	}
	if err := host.MakeCgroup(u.DaemonCgroup(i)); err != nil {
		return err
	}
	if err := u.writeNodeFiles(i); err != nil {
		return err
	}
	if err := u.startMissing(containerd); err != nil {
		return err
	}
	if err := u.waitContainerd(ctx, i); err != nil {
		return err
	}
	if err := images.Import(u.ContainerdSocket(i), pause); err != nil {
		return err
	}
	return u.startMissing(u.builder.Kubelet(i, host.Pid(containerd.PidFile)), u.builder.NodeProxy(i))
}

func (u *running) writeNodeFiles(i int) error {
	for _, folder := range u.builder.NodeFolders(i) {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	kubelet, err := u.builder.KubeletConfig(i)
	if err != nil {
		return err
	}
	network, err := u.builder.NetworkConfig(i)
	if err != nil {
		return err
	}
	folder := u.NodeFolder(i)
	return errors.Join(
		writeFile(filepath.Join(folder, "containerd.toml"), []byte(u.builder.ContainerdConfig(i))),
		writeFile(filepath.Join(folder, "kubelet.json"), kubelet),
		writeFile(filepath.Join(folder, "cni", "10-lab.conflist"), network),
	)
}

func (u *running) waitContainerd(ctx context.Context, i int) error {
	name := nodeProcess("containerd", i)
	return poll(ctx, 30*time.Second, name+" to answer", func() error {
		if err := u.alive(name); err != nil {
			return fatal{err}
		}
		_, err := host.Run("ctr", "--address", u.ContainerdSocket(i), "version")
		return err
	})
}

// nodePrograms run on every node, in the order they are started.
var nodePrograms = []string{"containerd", "kubelet", "kube-proxy"}

// killNode ends everything that runs on node i, as a power cut would: its
// mounts go with the last process, its disk stays.
func (r Record) killNode(i int) error {
	if err := host.KillCgroup(r.NodeCgroup(i)); err != nil {
		return err
	}
	for _, program := range nodePrograms {
		if err := host.Stop(r.Path("pids", nodeProcess(program, i)), 0); err != nil {
			return err
		}
	}
	// A machine that boots finds neither sandboxes' namespaces nor sockets.
	return errors.Join(
		os.RemoveAll(filepath.Join(r.NodeFolder(i), "state")),
		os.RemoveAll(filepath.Join(r.NodeFolder(i), "addresses")),
		host.RemoveCgroup(r.NodeCgroup(i)),
	)
}

// StopNode cuts the power of node i.
func StopNode(name string, i int) error {
	record, err := loadNode(name, i)
	if err != nil {
		return err
	}
	return record.killNode(i)
}

// StartNode boots node i again with the disk it had.
func StartNode(ctx context.Context, name string, i int, steps *progress.Printer) error {
	record, err := loadNode(name, i)
	if err != nil {
		return err
	}
	unlock, err := lock(name)
	if err != nil {
		return err
	}
	defer unlock()
	run := &running{Record: record, steps: steps}
	run.builder = components.Builder{Lab: record.Lab, Credentials: record.credentials()}
	if err := findBinaries(&run.builder.Binaries, steps); err != nil {
		return err
	}
	pause, err := ensurePause(steps)
	if err != nil {
		return err
	}
	return run.startNode(ctx, i, pause)
}

// PartitionNode cuts node i off the network; HealNode undoes it.
func PartitionNode(name string, i int) error {
	record, err := loadNode(name, i)
	if err != nil {
		return err
	}
	return record.Partition(i)
}

// HealNode joins node i to the network again.
func HealNode(name string, i int) error {
	record, err := loadNode(name, i)
	if err != nil {
		return err
	}
	return record.Heal(i)
}

func loadNode(name string, i int) (Record, error) {
	record, err := Load(name)
	if err == nil && (i < 1 || i > record.Nodes) {
		err = fmt.Errorf("lab %q has nodes 1 to %d, not %d", name, record.Nodes, i)
	}
	return record, err
}

func ensurePause(steps *progress.Printer) (images.Built, error) {
	cache, err := modules.CacheFolder()
	if err != nil {
		return images.Built{}, err
	}
	builder := images.Builder{Cache: cache, Steps: steps}
	return builder.Build(images.Pause())
}

// nodeProcess is the name of a program's process on node i.
func nodeProcess(program string, i int) string { return fmt.Sprintf("%s-n%d", program, i) }
