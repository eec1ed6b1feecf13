// Changing the set's configuration.
package conformance

import (
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func TestMemberJoinsWithoutAVoteAndThenGetsOne(t *testing.T) {
	t.Parallel()
	primary, joining := startSet(t, 1)[0], startNode(t)
	join(t, primary, 1, joining, 0)
	waitSeen(t, primary, joining, "SECONDARY")
	if votes := field(memberOf(currentConfig(primary), 1), "votes"); votes != int32(0) {
		t.Fatalf("votes are %v before the change", votes)
	}
	setVotes(t, primary, 1, 1)
	if votes := field(memberOf(currentConfig(primary), 1), "votes"); votes != int32(1) {
		t.Fatalf("votes are %v after the change", votes)
	}
}

func TestTwoVotingChangesAtOnceAreRefused(t *testing.T) {
	t.Parallel()
	primary, a, b := startSet(t, 1)[0], startNode(t), startNode(t)
	err := tryChange(primary, func(config bson.M) {
		config["members"] = append(config["members"].(bson.A), entry(1, a, 1), entry(2, b, 1))
	})
	wantCode(t, err, 103)
	if !strings.Contains(err.Error(), "Non force replica set reconfig can only add or remove at most 1 voting member") {
		t.Fatalf("unexpected message: %v", err)
	}
}

func TestReconfigNeedsAGreaterVersion(t *testing.T) {
	t.Parallel()
	primary := startSet(t, 1)[0]
	err := tryChange(primary, func(config bson.M) { config["version"] = config["version"].(int32) - 1 })
	wantCode(t, err, 103)
}

func TestReconfigOnASecondaryIsRefused(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 2)
	err := tryChange(nodes[1], func(bson.M) {})
	wantCode(t, err, 10107)
}

func TestReconfigIsRefusedWithoutAMajorityOfTheNewVoters(t *testing.T) {
	t.Parallel()
	primary, gone := startSet(t, 1)[0], startNode(t)
	gone.kill()
	err := tryChange(primary, func(config bson.M) {
		config["members"] = append(config["members"].(bson.A), entry(1, gone, 1))
	})
	wantCode(t, err, 74)
}

func TestUnreachableMemberMayJoinWithoutAVoteAndIsReportedUnhealthy(t *testing.T) {
	t.Parallel()
	primary, gone := startSet(t, 1)[0], startNode(t)
	gone.kill()
	join(t, primary, 1, gone, 0)
	waitSeen(t, primary, gone, "(not reachable/healthy)")
}

func TestPrimaryCannotRemoveItself(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 2)
	err := tryChange(nodes[0], func(config bson.M) { config["members"] = config["members"].(bson.A)[1:] })
	wantCode(t, err, 103, 93, 74)
}

func TestPrimaryCannotMakeItselfUnelectable(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 2)
	err := tryChange(nodes[0], func(config bson.M) { setField(memberOf(config, 0), "priority", 0) })
	wantCode(t, err, 103, 144)
}

func TestMemberIdOfAHostCannotChange(t *testing.T) {
	t.Parallel()
	primary := startSet(t, 1)[0]
	err := tryChange(primary, func(config bson.M) { setField(memberOf(config, 0), "_id", 7) })
	wantCode(t, err, 103)
}

// The same process under another name: a set made with short names, or in
// another domain. Its id and its vote stay, and so does its data.
func TestSecondaryMayBeListedByAnotherName(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 3)
	insertOrder(t, application(t, nodes), 1)
	waitCount(t, nodes[2], 1)
	name := strings.Replace(nodes[2].host(), "localhost", "127.0.0.1", 1)
	if name == nodes[2].host() {
		t.Fatalf("%s has no other name", name)
	}
	change(t, nodes[0], func(config bson.M) { setField(memberOf(config, 2), "host", name) })
	eventually(t, "see the member by its other name", func() error {
		seen, err := states(nodes[0])
		if err == nil && seen[name] != "SECONDARY" {
			err = fmt.Errorf("the set is %v", seen)
		}
		return err
	})
	eventually(t, "go by that name itself", func() error {
		status, err := nodes[2].system(bson.D{{Key: "replSetGetStatus", Value: 1}})
		if err != nil {
			return err
		}
		for _, m := range status["members"].(bson.A) {
			if field(m.(bson.D), "self") == true && field(m.(bson.D), "name") == name {
				return nil
			}
		}
		return fmt.Errorf("it is %v", status["members"])
	})
	waitCount(t, nodes[2], 1)
}

func TestNonVotingMemberMayNotHavePriority(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 2)
	before := currentConfig(nodes[0])["version"]
	if err := tryChange(nodes[0], func(config bson.M) { setField(memberOf(config, 1), "votes", 0) }); err == nil {
		t.Fatal("votes 0 with priority 1 was accepted")
	}
	if after := currentConfig(nodes[0])["version"]; after != before {
		t.Fatalf("version went from %v to %v", before, after)
	}
}

func TestConfigurationReachesTheSecondaries(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 2)
	change(t, nodes[0], func(bson.M) {})
	eventually(t, "spread the configuration", func() error {
		want := currentConfig(nodes[0])["version"]
		if got := currentConfig(nodes[1])["version"]; got != want {
			return fmt.Errorf("version is %v, want %v", got, want)
		}
		return nil
	})
}

func TestRemovedMemberIsNoSecondaryAnyMore(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 3)
	change(t, nodes[0], func(config bson.M) { config["members"] = config["members"].(bson.A)[:2] })
	eventually(t, "notice the removal", func() error {
		reply, err := nodes[2].system(bson.D{{Key: "hello", Value: 1}})
		if err == nil && (reply["secondary"] != false || reply["isWritablePrimary"] != false) {
			err = fmt.Errorf("hello is %v", reply)
		}
		return err
	})
	if seen, err := states(nodes[0]); err != nil || len(seen) != 2 {
		t.Fatalf("the set is %v, %v", seen, err)
	}
}

func TestRemovedMemberCanComeBack(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 2)
	setVotes(t, nodes[0], 1, 0)
	change(t, nodes[0], func(config bson.M) { config["members"] = config["members"].(bson.A)[:1] })
	join(t, nodes[0], 1, nodes[1], 0)
	waitSeen(t, nodes[0], nodes[1], "SECONDARY")
}
