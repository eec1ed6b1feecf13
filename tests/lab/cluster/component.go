package cluster

import (
	"fmt"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"eaiser.io/operator/tests/lab/host"
)

// StopComponent ends one program of the control plane, such as
// kube-controller-manager; `up` starts it again.
func StopComponent(name, component string) error {
	record, err := Load(name)
	if err != nil {
		return err
	}
	file := record.Path("pids", component)
	if host.Pid(file) == 0 {
		return fmt.Errorf("lab %q runs no %q; it runs %s", name, component, strings.Join(record.running(), ", "))
	}
	return host.Stop(file, 5*time.Second)
}

// running lists the names of the lab's live processes.
func (r Record) running() []string {
	files, _ := filepath.Glob(r.Path("pids", "*"))
	names := []string{}
	for _, file := range files {
		if host.Pid(file) != 0 {
			names = append(names, filepath.Base(file))
		}
	}
	sort.Strings(names)
	return names
}
