// Package cluster brings a lab up and down and does to its nodes, pods and
// images what tests need done.
package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"eaiser.io/operator/tests/lab/host"
	"eaiser.io/operator/tests/lab/modules"
	"eaiser.io/operator/tests/lab/plan"
)

// Record is what a lab remembers of how it was brought up.
type Record struct {
	plan.Lab
	Nodes       int `json:"nodes"`
	Simulated   int `json:"simulated"`
	ForwardPort int `json:"forwardPort"` // on the host's 127.0.0.1
	// MetricsServer is kept, so that the next `up` starts it again.
	MetricsServer bool `json:"metricsServer,omitempty"`
}

// ErrNoLab means that no lab of that name has been brought up.
var ErrNoLab = errors.New("there is no such lab")

// Load reads the record of the named lab.
func Load(name string) (Record, error) {
	if err := plan.ValidateName(name); err != nil {
		return Record{}, err
	}
	content, err := os.ReadFile(plan.Lab{Name: name}.RecordFile())
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, fmt.Errorf("%w: %q; start it with: lab up --name %s", ErrNoLab, name, name)
	}
	if err != nil {
		return Record{}, err
	}
	var record Record
	if err := json.Unmarshal(content, &record); err != nil {
		return Record{}, fmt.Errorf("read %s: %w; take the lab down and up again", plan.Lab{Name: name}.RecordFile(), err)
	}
	return record, nil
}

func (r Record) save() error {
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(r.Folder(), 0o755); err != nil {
		return err
	}
	part := r.RecordFile() + ".part"
	if err := os.WriteFile(part, content, 0o644); err != nil {
		return err
	}
	return os.Rename(part, r.RecordFile())
}

// loadOrPlan reads the lab's record, or plans a new lab beside those there are.
func loadOrPlan(name string) (Record, error) {
	record, err := Load(name)
	if !errors.Is(err, ErrNoLab) {
		return record, err
	}
	unlock, err := modules.Lock(filepath.Join(plan.LabsFolder, ".plan.lock"))
	if err != nil {
		return Record{}, err
	}
	defer unlock()
	taken, err := host.TakenOctets()
	if err != nil {
		return Record{}, err
	}
	names, err := Names()
	if err != nil {
		return Record{}, err
	}
	for _, other := range names {
		if known, err := Load(other); err == nil {
			taken[known.Octet] = true
		}
	}
	octet, err := plan.PickOctet(name, taken)
	if err != nil {
		return Record{}, err
	}
	record = Record{Lab: plan.Lab{Name: name, Octet: octet}}
	return record, record.save()
}

// Names lists the labs that have a folder on this machine.
func Names() ([]string, error) {
	entries, err := os.ReadDir(plan.LabsFolder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() && plan.ValidateName(entry.Name()) == nil {
			names = append(names, entry.Name())
		}
	}
	return names, err
}

// lock serialises commands that change one lab.
func lock(name string) (func(), error) {
	return modules.Lock(filepath.Join(plan.LabsFolder, "."+name+".lock"))
}

// freePort is a port of 127.0.0.1 nobody listens on: wanted, if that is free.
func freePort(wanted int) (int, error) {
	for _, port := range []int{wanted, 0} {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			defer listener.Close()
			return listener.Addr().(*net.TCPAddr).Port, nil
		}
	}
	return 0, errors.New("no free port on 127.0.0.1")
}
