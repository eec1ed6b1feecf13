package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"eaiser.io/operator/tests/lab/components"
	"eaiser.io/operator/tests/lab/host"
	"eaiser.io/operator/tests/lab/plan"
	"eaiser.io/operator/tests/lab/progress"
)

// Down ends the lab and removes everything it made. It needs no record, so it
// also cleans up after an `up` that was interrupted.
func Down(name string, steps *progress.Printer) error {
	if err := plan.ValidateName(name); err != nil {
		return err
	}
	if err := host.RequireRoot(); err != nil {
		return err
	}
	unlock, err := lock(name)
	if err != nil {
		return err
	}
	defer unlock()
	lab := plan.Lab{Name: name}
	steps.Step("end the processes of lab %s", name)
	if err := endProcesses(lab); err != nil {
		return err
	}
	steps.Step("remove control groups, namespaces and mounts")
	if err := host.RemoveCgroup(lab.Cgroup()); err != nil {
		return err
	}
	if err := removeNamespaces(lab); err != nil {
		return err
	}
	if err := unmountBelow(lab.Folder()); err != nil {
		return err
	}
	if err := os.RemoveAll(lab.Folder()); err != nil {
		return err
	}
	_ = os.Remove(filepath.Join(plan.LabsFolder, "."+name+".lock"))
	if err := removeShared(); err != nil {
		return err
	}
	steps.Step("lab %s is down", name)
	return nil
}

// removeShared removes, with the last lab, the empty folders on which nodes
// laid folders of their own. While another lab runs they must stay: removing
// them would take the mounts from its nodes.
func removeShared() error {
	names, err := Names()
	if err != nil || len(names) > 0 {
		return err
	}
	_ = os.Remove(filepath.Join(plan.LabsFolder, ".plan.lock"))
	for _, folder := range append(components.NodeMountPoints(), plan.LabsFolder) {
		// Fails, as it should, for a folder that somebody else has filled.
		_ = syscall.Rmdir(folder)
	}
	return nil
}

// endProcesses ends kubelets first, so that none restarts a container, then
// everything by control group, then what is recorded but was in none.
func endProcesses(lab plan.Lab) error {
	records, err := filepath.Glob(lab.Path("pids", "*"))
	if err != nil {
		return err
	}
	for _, record := range records {
		if strings.HasPrefix(filepath.Base(record), "kubelet-") {
			if err := host.Stop(record, 0); err != nil {
				return err
			}
		}
	}
	if err := host.KillCgroup(lab.Cgroup()); err != nil {
		return err
	}
	for _, record := range records {
		if err := host.Stop(record, 2*time.Second); err != nil {
			return err
		}
	}
	return nil
}

func removeNamespaces(lab plan.Lab) error {
	var failures []error
	for i := 1; i <= plan.MaxNodes; i++ {
		failures = append(failures, host.RemoveNamespace(lab.NodeName(i)))
	}
	return errors.Join(append(failures, host.RemoveNamespace(lab.Namespace()))...)
}

// unmountBelow unmounts what is mounted below folder in the host's own mount
// namespace, deepest first. Nodes mount in namespaces of their own, so there
// is normally nothing.
func unmountBelow(folder string) error {
	content, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	lines := strings.Split(string(content), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		fields := strings.Fields(lines[i])
		if len(fields) > 4 && strings.HasPrefix(fields[4], folder+"/") {
			if _, err := host.Run("umount", "--lazy", fields[4]); err != nil {
				return fmt.Errorf("unmount: %w", err)
			}
		}
	}
	return nil
}
