package host

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

func TestARecordOfAnEndedProcessIsNobody(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	// This process's id, but another start: the id was given away.
	for _, content := range []string{"", "junk", "1 1", strconv.Itoa(os.Getpid()) + " 1", "-5 7"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if pid := Pid(file); pid != 0 {
			t.Errorf("record %q gave %d", content, pid)
		}
	}
}

func TestAMissingRecordStopsNothing(t *testing.T) {
	if err := Stop(filepath.Join(t.TempDir(), "none"), time.Second); err != nil {
		t.Error(err)
	}
}

func TestAStartedProcessIsRecordedAndStopped(t *testing.T) {
	folder := t.TempDir()
	process := Process{
		Name: "sleep", Command: []string{"sleep", "60"},
		LogFile: filepath.Join(folder, "log"), PidFile: filepath.Join(folder, "pid"),
	}
	if err := Start(process); err != nil {
		t.Fatal(err)
	}
	pid := Pid(process.PidFile)
	if pid == 0 {
		t.Fatal("the process is not recorded")
	}
	if err := Stop(process.PidFile, 5*time.Second); err != nil {
		t.Error(err)
	}
	if err := exec.Command("kill", "-0", strconv.Itoa(pid)).Run(); err == nil && startTime(pid) != "" {
		t.Errorf("process %d still runs", pid)
	}
}
