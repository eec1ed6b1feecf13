// Keyfiles with two keys, and replacing one key by another without an outage.
package conformance

import (
	"fmt"
	"os/exec"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const newKey = "YW5vdGhlcmtleWZvcnRlc3Rzb25seQ=="

// bothKeys is what the operator writes for the first phase of a rotation.
var bothKeys = fmt.Sprintf("- %s\n- %s\n", keyPassword, newKey)

func systemBy(key string) *options.Credential {
	user := *systemUser
	user.Password = key
	return &user
}

func TestEitherKeyOfAKeyfileLogsIn(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.writeKeyfile(bothKeys)
	n.start()
	for _, key := range []string{keyPassword, newKey} {
		_, err := adminCommand(n.client(systemBy(key)), bson.D{{Key: "replSetGetStatus", Value: 1}})
		wantCode(t, err, 94)
	}
	wantAuthFailure(t, n.client(systemBy("dGhpcmRrZXk=")))
}

func TestThreeKeysInAKeyfilePreventTheStart(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.writeKeyfile(bothKeys + "- dGhpcmRrZXk=\n")
	out, err := exec.Command(mongodPath, n.args...).CombinedOutput()
	if exit, isExit := err.(*exec.ExitError); !isExit || exit.ExitCode() < 1 {
		t.Fatalf("%v: %s", err, out)
	}
}

// Every member restarts twice, and after each restart all members see each
// other, whatever keys their keyfiles hold at that moment.
func TestMembersSeeEachOtherThroughARotationOfTheKeyfile(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 3)
	for _, phase := range []struct{ keyfile, login string }{{bothKeys, keyPassword}, {newKey + "\n", newKey}} {
		for _, n := range nodes {
			n.terminate()
			n.writeKeyfile(phase.keyfile)
			n.start()
			n.user = systemBy(phase.login)
			waitWhole(t, nodes)
		}
	}
	insertOrder(t, application(t, nodes), 1)
	for _, n := range nodes {
		waitCount(t, n, 1)
		wantAuthFailure(t, n.client(systemUser))
	}
}

// waitWhole waits until every member sees one primary and all others as
// secondaries.
func waitWhole(t *testing.T, nodes []*node) {
	t.Helper()
	for _, observer := range nodes {
		eventually(t, "see a whole set from "+observer.host(), func() error {
			seen, err := states(observer)
			count := map[string]int{}
			for _, state := range seen {
				count[state]++
			}
			if err == nil && (count["PRIMARY"] != 1 || count["SECONDARY"] != len(nodes)-1) {
				err = fmt.Errorf("states are %v", seen)
			}
			return err
		})
	}
}
