package host

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// hierarchy is one mounted control group tree.
type hierarchy struct {
	mount   string
	unified bool
}

// hierarchies lists the trees in which a kubelet expects its root: every
// version 1 tree, and the unified one when it is the only kind.
func hierarchies() []hierarchy {
	var found []hierarchy
	for _, tree := range mountedTrees() {
		if !tree.unified || tree.mount == "/sys/fs/cgroup" {
			found = append(found, tree)
		}
	}
	return found
}

// mountedTrees lists every control group tree. Beside version 1 trees there
// may be a unified one without controllers, in which runc makes groups too.
func mountedTrees() []hierarchy {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	defer file.Close()
	var found []hierarchy
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(before)
		kind, _, _ := strings.Cut(after, " ")
		if kind == "cgroup" || kind == "cgroup2" {
			found = append(found, hierarchy{mount: fields[4], unified: kind == "cgroup2"})
		}
	}
	return found
}

// MakeCgroup makes the group, and its parents, in every hierarchy.
func MakeCgroup(group string) error {
	for _, tree := range hierarchies() {
		folder := tree.mount
		for _, part := range strings.Split(strings.Trim(group, "/"), "/") {
			parent := folder
			folder = filepath.Join(folder, part)
			if err := os.Mkdir(folder, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
				return fmt.Errorf("make control group: %w", err)
			}
			if err := inherit(tree, parent, folder); err != nil {
				return err
			}
		}
	}
	return nil
}

// inherit gives a new group what it needs before processes may join: CPUs and
// memory nodes in version 1, controllers in version 2.
func inherit(tree hierarchy, parent, folder string) error {
	if tree.unified {
		controllers, err := os.ReadFile(filepath.Join(parent, "cgroup.controllers"))
		if err != nil {
			return err
		}
		for _, controller := range strings.Fields(string(controllers)) {
			// Some controllers cannot be delegated; a kubelet names those it misses.
			_ = os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
		}
		return nil
	}
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		own, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil || strings.TrimSpace(string(own)) != "" {
			continue
		}
		value, err := os.ReadFile(filepath.Join(parent, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, name), value, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// joinFiles are the files a process writes its id to in order to join group.
func joinFiles(group string) []string {
	if group == "" {
		return nil
	}
	var files []string
	for _, tree := range hierarchies() {
		files = append(files, filepath.Join(tree.mount, group, "cgroup.procs"))
	}
	return files
}

// CgroupPids lists the processes in group and all groups below it.
func CgroupPids(group string) []int {
	seen := map[int]bool{}
	for _, tree := range mountedTrees() {
		_ = filepath.WalkDir(filepath.Join(tree.mount, group), func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.Name() != "cgroup.procs" {
				return nil
			}
			content, _ := os.ReadFile(path)
			for _, field := range strings.Fields(string(content)) {
				if pid, err := strconv.Atoi(field); err == nil && pid > 1 {
					seen[pid] = true
				}
			}
			return nil
		})
	}
	pids := make([]int, 0, len(seen))
	for pid := range seen {
		pids = append(pids, pid)
	}
	sort.Ints(pids)
	return pids
}

// KillCgroup ends, by force, every process in group and below, and waits
// until they have gone.
func KillCgroup(group string) error {
	for deadline := time.Now().Add(20 * time.Second); ; {
		pids := CgroupPids(group)
		if len(pids) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v of control group %s do not end", pids, group)
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// RemoveCgroup removes group and all groups below it, which must be empty of
// processes. The parent shared by all labs goes too when it is empty.
func RemoveCgroup(group string) error {
	for _, tree := range mountedTrees() {
		top := filepath.Join(tree.mount, group)
		var folders []string
		_ = filepath.WalkDir(top, func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				folders = append(folders, path)
			}
			return nil
		})
		for i := len(folders) - 1; i >= 0; i-- {
			if err := removeGroupFolder(folders[i]); err != nil {
				return err
			}
		}
		_ = syscall.Rmdir(filepath.Dir(top))
	}
	return nil
}

// removeGroupFolder retries while the kernel still lets go of the last process.
func removeGroupFolder(folder string) error {
	var err error
	for range 40 {
		if err = syscall.Rmdir(folder); err == nil || errors.Is(err, os.ErrNotExist) {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("remove control group %s: %w", folder, err)
}
