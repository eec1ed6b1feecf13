// Package modules builds the lab's Go programs and keeps them by the hash of
// what they were built from, so that a second run, or a second clone on the
// same machine, starts at once.
package modules

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"syscall"
	"time"

	"eaiser.io/operator/tests/lab/progress"
)

// Module is one Go program of the lab, built from a folder with its own go.mod.
type Module struct {
	Name    string // of the binary in the cache
	Folder  string // below the lab's sources
	LDFlags string
	About   string // shown while it is built
}

// The version stamp: without it clients cannot parse the server's version and
// refuse to talk to it.
const kubernetesStamp = "-s -w" +
	" -X k8s.io/component-base/version.gitVersion=v1.36.3" +
	" -X k8s.io/component-base/version.gitMajor=1" +
	" -X k8s.io/component-base/version.gitMinor=36" +
	" -X k8s.io/component-base/version.gitTreeState=clean" +
	" -X k8s.io/client-go/pkg/version.gitVersion=v1.36.3" +
	" -X k8s.io/client-go/pkg/version.gitMajor=1" +
	" -X k8s.io/client-go/pkg/version.gitMinor=36" +
	" -X k8s.io/client-go/pkg/version.gitTreeState=clean"

// The lab's programs.
var (
	Kubernetes = Module{"kubernetes", "kubernetes", kubernetesStamp, "about 8 minutes on 2 cores the first time"}
	Addons     = Module{"addons", "addons", "-s -w", "about 4 minutes on 2 cores the first time"}
	// MetricsServer is built only for labs that ask for it.
	MetricsServer = Module{"metrics-server", "metrics-server", "-s -w", "about 4 minutes on 2 cores the first time"}
	StandIn       = Module{"mongod-standin", "mongod-standin", "-s -w", "about 80 seconds the first time"}
)

// CacheFolder is where builds and images are kept.
func CacheFolder() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w; set XDG_CACHE_HOME", err)
	}
	return filepath.Join(cache, "eaiser-lab"), nil
}

// SourceFolder is the lab's source folder, named by the wrapper script.
func SourceFolder() (string, error) {
	folder := os.Getenv("EAISER_LAB_SOURCE")
	if folder == "" {
		return "", errors.New("EAISER_LAB_SOURCE is not set; start the lab with its wrapper, tests/lab/lab")
	}
	return folder, nil
}

// Exists says whether the module's sources are there.
func (m Module) Exists(sources string) bool {
	_, err := os.Stat(filepath.Join(sources, m.Folder, "go.mod"))
	return err == nil
}

// Binary returns the path of the built program and builds it when its sources,
// flags or the Go version changed.
func (m Module) Binary(steps *progress.Printer) (string, error) {
	sources, err := SourceFolder()
	if err != nil {
		return "", err
	}
	cache, err := CacheFolder()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(sources, m.Folder)
	sum, err := m.hash(folder)
	if err != nil {
		return "", err
	}
	binary := filepath.Join(cache, "bin", m.Name+"-"+sum)
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	unlock, err := Lock(filepath.Join(cache, "bin", m.Name+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	return binary, m.build(folder, binary, steps)
}

func (m Module) build(folder, binary string, steps *progress.Printer) error {
	stop := steps.Beat(20*time.Second, fmt.Sprintf("build %s (%s)", m.Name, m.About))
	defer stop()
	part := binary + ".part"
	command := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", m.LDFlags, "-o", part, ".")
	command.Dir = folder
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s in %s: %w\n%s", m.Name, folder, err, output)
	}
	m.removeOlder(filepath.Dir(binary))
	return os.Rename(part, binary)
}

// removeOlder keeps the cache from growing: a build of other sources is only
// kept for a day. Running programs keep their file until they end.
func (m Module) removeOlder(folder string) {
	entries, _ := filepath.Glob(filepath.Join(folder, m.Name+"-*"))
	for _, entry := range entries {
		if info, err := os.Stat(entry); err == nil && time.Since(info.ModTime()) > 24*time.Hour {
			_ = os.Remove(entry)
		}
	}
}

func (m Module) hash(folder string) (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version(), runtime.GOARCH, m.LDFlags)
	content, err := HashFolder(folder, func(path string) bool {
		extension := filepath.Ext(path)
		return !strings.HasSuffix(path, "_test.go") && extension != ".md"
	})
	if err != nil {
		return "", err
	}
	fmt.Fprintln(sum, content)
	return hex.EncodeToString(sum.Sum(nil))[:16], nil
}

// HashFolder is the hash of the names and contents of all files below folder
// that keep accepts (by path relative to folder).
func HashFolder(folder string, keep func(path string) bool) (string, error) {
	var paths []string
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(folder, path)
		if err == nil && entry.Type().IsRegular() && keep(relative) {
			paths = append(paths, relative)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	sort.Strings(paths)
	sum := sha256.New()
	for _, path := range paths {
		content, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d\n", path, len(content))
		sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Lock takes a lock file for this process; the kernel frees it at its end.
func Lock(path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		file.Close()
		return nil, err
	}
	return func() { _ = file.Close() }, nil
}
