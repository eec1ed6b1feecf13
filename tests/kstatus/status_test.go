// Package kstatus holds the golden statuses of a cluster's life against the library that Argo CD,
// Flux and kpt wait by.
package kstatus

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/yaml"
)

// prefix of the files that tests/it/status.rs writes.
const prefix = "../it/snapshots/it__status__"

// wanted names every golden status, so that a new one is judged too.
var wanted = map[string]status.Status{
	"forming":    status.InProgressStatus,
	"ready":      status.CurrentStatus,
	"changing":   status.InProgressStatus,
	"degraded":   status.InProgressStatus,
	"foreign":    status.FailedStatus,
	"invalid":    status.FailedStatus,
	"unreadable": status.FailedStatus,
	"paused":     status.CurrentStatus,
	"stopped":    status.InProgressStatus,
	"users":      status.CurrentStatus,
	"deleting":   status.TerminatingStatus,
	"index":      status.FailedStatus,
}

func TestEveryStatusIsSeenAsItIs(t *testing.T) {
	files, err := filepath.Glob(prefix + "*.snap")
	if err != nil || len(files) != len(wanted) {
		t.Fatalf("%d golden statuses, %d expected: %v", len(files), len(wanted), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(file, prefix), ".snap")
		result, err := status.Compute(read(t, file))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		t.Logf("%-10s %-11s %s", name, result.Status, result.Message)
		if result.Status != wanted[name] {
			t.Errorf("%s is %s, expected %s: %s", name, result.Status, wanted[name], result.Message)
		}
	}
}

// A status of an earlier spec says nothing about the newest one.
func TestAnOlderStatusIsNotTakenForTheNewSpec(t *testing.T) {
	object := read(t, prefix+"ready.snap")
	object.SetGeneration(object.GetGeneration() + 1)
	result, err := status.Compute(object)
	if err != nil || result.Status != status.InProgressStatus {
		t.Fatalf("%v, %v", result, err)
	}
}

// read skips the head that the snapshot library writes.
func read(t *testing.T, file string) *unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parts := bytes.SplitN(text, []byte("---\n"), 3)
	if len(parts) != 3 {
		t.Fatalf("%s has no head", file)
	}
	object := &unstructured.Unstructured{}
	// By way of the decoder that clients use: numbers are integers then.
	text, err = yaml.YAMLToJSON(parts[2])
	if err == nil {
		err = object.UnmarshalJSON(text)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return object
}
