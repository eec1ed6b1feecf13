// Package host starts and stops processes, and makes and removes the network
// namespaces, links and control groups of a lab on the machine it runs on.
package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process describes a long-running process of a lab.
type Process struct {
	Name      string   // unique within the lab, such as "kubelet-n1"
	Command   []string // program and arguments
	Namespace string   // network namespace to enter; empty for the host's
	Mounts    int      // pid whose mount namespace to enter; 0 for the host's
	Unshare   []string // bind mounts "SOURCE:TARGET" for a mount namespace of its own
	Cgroup    string   // control group to run in, below the root
	LogFile   string   // receives standard output and error
	PidFile   string   // receives the process id and its start time
	Env       []string // added to the environment
}

// Start runs the process detached from the caller and records its id.
func Start(p Process) error {
	if err := os.MkdirAll(filepath.Dir(p.LogFile), 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(p.PidFile), 0o755); err != nil {
		return err
	}
	log, err := os.OpenFile(p.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	command := exec.Command("/bin/sh", append([]string{"-c", enterScript, p.Name}, enterArguments(p)...)...)
	command.Env = append(os.Environ(), p.Env...)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	pid := command.Process.Pid
	record := fmt.Sprintf("%d %s\n", pid, startTime(pid))
	if err := os.WriteFile(p.PidFile, []byte(record), 0o644); err != nil {
		return err
	}
	return command.Process.Release()
}

// enterScript joins the control groups named before "--" and becomes the rest.
// It is a shell's work because a Go program cannot put only its child into a
// group of a version 1 hierarchy before the child's first fork.
const enterScript = `while [ "$1" != -- ]; do echo $$ > "$1" || exit 1; shift; done; shift; exec "$@"`

func enterArguments(p Process) []string {
	arguments := joinFiles(p.Cgroup)
	arguments = append(arguments, "--")
	enter := []string{}
	if p.Namespace != "" {
		enter = append(enter, "--net="+NamespacePath(p.Namespace))
	}
	if p.Mounts != 0 {
		enter = append(enter, fmt.Sprintf("--mount=/proc/%d/ns/mnt", p.Mounts))
	}
	if len(enter) > 0 {
		arguments = append(arguments, "nsenter")
		arguments = append(append(arguments, enter...), "--")
	}
	if len(p.Unshare) > 0 {
		arguments = append(arguments, "unshare", "--mount", "--propagation=slave", "/bin/sh", "-c", unshareScript, p.Name)
		arguments = append(append(arguments, p.Unshare...), "--")
	}
	return append(arguments, p.Command...)
}

// unshareScript lays the bind mounts and makes the namespace's mounts shared
// again, because containers may ask for mounts that follow the node's.
const unshareScript = `mount --make-rshared / || exit 1
while [ "$1" != -- ]; do mkdir -p "${1%%:*}" "${1#*:}" && mount --bind "${1%%:*}" "${1#*:}" || exit 1; shift; done; shift; exec "$@"`

// Pid is the id of the running process recorded in pidFile, or 0. A record of
// a process that has ended, even when its id was given to another, yields 0.
func Pid(pidFile string) int {
	content, err := os.ReadFile(pidFile)
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(content))
	if len(fields) != 2 {
		return 0
	}
	pid, err := strconv.Atoi(fields[0])
	if err != nil || pid <= 1 || startTime(pid) != fields[1] {
		return 0
	}
	return pid
}

// startTime is field 22 of /proc/PID/stat, or "" when there is no such live
// process. Zombies count as ended.
func startTime(pid int) string {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	text := string(content)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 || fields[0] == "Z" {
		return ""
	}
	return fields[19]
}

// Stop ends the process recorded in pidFile: first politely, then, after
// grace, by force. It returns once the process has gone.
func Stop(pidFile string, grace time.Duration) error {
	pid := Pid(pidFile)
	if pid == 0 {
		return removeRecord(pidFile)
	}
	if grace > 0 {
		_ = syscall.Kill(pid, syscall.SIGTERM)
		if waitGone(pidFile, grace) {
			return removeRecord(pidFile)
		}
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	if !waitGone(pidFile, 10*time.Second) {
		return fmt.Errorf("process %d of %s does not end", pid, filepath.Base(pidFile))
	}
	return removeRecord(pidFile)
}

func removeRecord(pidFile string) error {
	if err := os.Remove(pidFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func waitGone(pidFile string, limit time.Duration) bool {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if Pid(pidFile) == 0 {
			return true
		}
	}
	return Pid(pidFile) == 0
}

// Run runs a command to its end and returns its standard output; an error
// carries what the command said.
func Run(name string, arguments ...string) (string, error) {
	command := exec.Command(name, arguments...)
	output, err := command.Output()
	if err != nil {
		said := ""
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			said = strings.TrimSpace(string(exit.Stderr))
		}
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(arguments, " "), err, said)
	}
	return string(output), nil
}
