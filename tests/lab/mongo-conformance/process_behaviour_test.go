// The program itself: flags, limits, versions.
package conformance

import (
	"net"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func TestFeatureCompatibilityVersionIsReported(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	reply := n.must(bson.D{{Key: "getParameter", Value: 1}, {Key: "featureCompatibilityVersion", Value: 1}})
	fcv, _ := field(reply["featureCompatibilityVersion"].(bson.D), "version").(string)
	if !regexp.MustCompile(`^\d+\.\d+$`).MatchString(fcv) {
		t.Fatalf("unexpected reply %v", reply)
	}
}

func TestBuildInfoNamesTheVersion(t *testing.T) {
	t.Parallel()
	reply := startNode(t).must(bson.D{{Key: "buildInfo", Value: 1}})
	if version, _ := reply["version"].(string); !regexp.MustCompile(`^\d+\.\d+\.\d+`).MatchString(version) {
		t.Fatalf("version is %v", reply["version"])
	}
}

func TestServerStatusCountsConnections(t *testing.T) {
	t.Parallel()
	reply := startSet(t, 1)[0].must(bson.D{{Key: "serverStatus", Value: 1}})
	connections := reply["connections"].(bson.D)
	if current, _ := field(connections, "current").(int32); current < 1 {
		t.Fatalf("connections are %v", connections)
	}
	if name := field(reply["repl"].(bson.D), "setName"); name != setName {
		t.Fatalf("repl names set %v", name)
	}
}

func TestConnectionsBeyondTheLimitAreClosed(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--maxConns", "20")
	closed := 0
	for range 40 {
		conn, err := net.Dial("tcp", n.host())
		if err != nil {
			closed++
			continue
		}
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		if _, err := conn.Read(make([]byte, 1)); err != nil && !isTimeout(err) {
			closed++
		}
	}
	if closed < 20 {
		t.Fatalf("%d of 40 connections were closed", closed)
	}
}

func TestUnknownFlagIsAnError(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command(mongodPath, "--noSuchFlag").CombinedOutput(); err == nil {
		t.Fatalf("accepted: %s", out)
	}
}

func TestUnknownCommandIsRefused(t *testing.T) {
	t.Parallel()
	_, err := startSet(t, 1)[0].system(bson.D{{Key: "noSuchCommand", Value: 1}})
	wantCode(t, err, 59)
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}
