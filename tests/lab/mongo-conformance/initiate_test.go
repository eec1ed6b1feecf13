// Before and at initiation.
package conformance

import (
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func TestUninitiatedMemberAnswersStatusWithNotYetInitialized(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	for _, command := range []string{"replSetGetStatus", "replSetGetConfig"} {
		_, err := n.system(bson.D{{Key: command, Value: 1}})
		wantCode(t, err, 94)
	}
}

func TestUninitiatedMemberRefusesReconfigAsNotYetInitialized(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	_, err := n.system(bson.D{{Key: "replSetReconfig", Value: setConfig(entry(0, n, 1))}})
	wantCode(t, err, 94)
}

func TestUninitiatedMemberSaysHelloWithoutASet(t *testing.T) {
	t.Parallel()
	reply := startNode(t).must(bson.D{{Key: "hello", Value: 1}})
	if reply["isWritablePrimary"] != false || reply["secondary"] != false || reply["setName"] != nil || reply["isreplicaset"] != true {
		t.Fatalf("unexpected hello: %v", reply)
	}
}

func TestUninitiatedMemberRefusesWrites(t *testing.T) {
	t.Parallel()
	_, err := runCommand(startNode(t).client(systemUser), "shop", bson.D{{Key: "insert", Value: "c"}, {Key: "documents", Value: bson.A{bson.D{{Key: "a", Value: 1}}}}})
	wantCode(t, err, 10107, 13436)
}

func TestInitiatingOneMemberMakesItPrimary(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 1)
	status := nodes[0].must(bson.D{{Key: "replSetGetStatus", Value: 1}})
	if status["set"] != setName || status["myState"] != int32(1) {
		t.Fatalf("unexpected status: %v", status)
	}
}

func TestHelloOfAPrimaryNamesItsSet(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	reply := n.must(bson.D{{Key: "hello", Value: 1}})
	hosts, _ := reply["hosts"].(bson.A)
	_, hasElectionID := reply["electionId"].(bson.ObjectID)
	if reply["setName"] != setName || reply["me"] != n.host() || reply["primary"] != n.host() ||
		reply["isWritablePrimary"] != true || reply["secondary"] != false || len(hosts) != 1 || !hasElectionID ||
		reply["setVersion"] == nil || reply["logicalSessionTimeoutMinutes"] != int32(30) || reply["localTime"] == nil {
		t.Fatalf("unexpected hello: %v", reply)
	}
	if wire := reply["maxWireVersion"].(int32); wire < 9 {
		t.Fatalf("maxWireVersion is %d", wire)
	}
}

func TestInitiationFillsInDefaults(t *testing.T) {
	t.Parallel()
	config := currentConfig(startSet(t, 1)[0])
	member, settings := memberOf(config, 0), config["settings"].(bson.D)
	if field(member, "hidden") != false || field(settings, "heartbeatTimeoutSecs") != int32(10) || config["protocolVersion"] != int64(1) {
		t.Fatalf("unexpected config: %v", config)
	}
	if id, isID := field(settings, "replicaSetId").(bson.ObjectID); !isID || id.IsZero() {
		t.Fatalf("no replicaSetId in %v", settings)
	}
}

func TestElectionTimeoutGivenAtInitiationOutlivesAReconfiguration(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 2)
	for _, n := range nodes {
		eventually(t, "the configuration arrives", func() error {
			settings := currentConfig(n)["settings"].(bson.D)
			if timeout := fmt.Sprint(field(settings, "electionTimeoutMillis")); timeout != "2000" {
				return fmt.Errorf("electionTimeoutMillis is %s", timeout)
			}
			return nil
		})
	}
}

func TestSecondInitiateIsRefusedAsAlreadyInitialized(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	_, err := n.system(initiate(setConfig(entry(0, n, 1))))
	wantCode(t, err, 23)
}

func TestInitiateWithoutSelfIsRefused(t *testing.T) {
	t.Parallel()
	n, other := startNode(t), startNode(t)
	_, err := n.system(initiate(setConfig(entry(0, other, 1))))
	wantCode(t, err, 93)
}

func TestInitiateUnderAnotherSetNameIsRefused(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	config := setConfig(entry(0, n, 1))
	setField(config, "_id", "another")
	_, err := n.system(initiate(config))
	wantCode(t, err, 93)
}

func TestInitiateWithAnUnreachableMemberIsRefused(t *testing.T) {
	t.Parallel()
	n, gone := startNode(t), startNode(t)
	gone.kill()
	_, err := n.system(initiate(setConfig(entry(0, n, 1), entry(1, gone, 1))))
	wantCode(t, err, 74)
	_, err = n.system(bson.D{{Key: "replSetGetStatus", Value: 1}})
	wantCode(t, err, 94)
}

func TestInitiateWithTheSameHostTwiceIsRefused(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	if _, err := n.system(initiate(setConfig(entry(0, n, 1), entry(1, n, 1)))); err == nil {
		t.Fatal("the set was initiated")
	}
	_, err := n.system(bson.D{{Key: "replSetGetStatus", Value: 1}})
	wantCode(t, err, 94)
}

func TestInitiatingThreeMembersAtOnceElectsOnePrimary(t *testing.T) {
	t.Parallel()
	nodes := []*node{startNode(t), startNode(t), startNode(t)}
	nodes[0].must(initiate(setConfig(entry(0, nodes[0], 1), entry(1, nodes[1], 1), entry(2, nodes[2], 1))))
	primary := waitPrimary(t, nodes...)
	for _, n := range others(nodes, primary) {
		waitFor(t, n, "SECONDARY")
	}
}
