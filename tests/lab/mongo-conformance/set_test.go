// Sets of members: initiation, joining and looking at states.
package conformance

import (
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func entry(id int, n *node, votes int) bson.D {
	return bson.D{{Key: "_id", Value: id}, {Key: "host", Value: n.host()}, {Key: "votes", Value: votes}, {Key: "priority", Value: votes}}
}

func setConfig(members ...bson.D) bson.D {
	list := bson.A{}
	for _, m := range members {
		list = append(list, m)
	}
	return bson.D{{Key: "_id", Value: setName}, {Key: "version", Value: 1}, {Key: "members", Value: list},
		{Key: "settings", Value: bson.D{{Key: "electionTimeoutMillis", Value: 2000}}}}
}

func initiate(config bson.D) bson.D { return bson.D{{Key: "replSetInitiate", Value: config}} }

// startSet returns a set of n voting members; the first is primary.
func startSet(t *testing.T, n int) []*node {
	t.Helper()
	nodes := []*node{startNode(t)}
	nodes[0].must(initiate(setConfig(entry(0, nodes[0], 1))))
	waitFor(t, nodes[0], "PRIMARY")
	for i := 1; i < n; i++ {
		nodes = append(nodes, startNode(t))
		join(t, nodes[0], i, nodes[i], 0)
		waitFor(t, nodes[i], "SECONDARY")
		setVotes(t, nodes[0], i, 1)
	}
	for _, member := range nodes[1:] {
		waitFor(t, member, "SECONDARY")
	}
	return nodes
}

func currentConfig(n *node) bson.M {
	n.t.Helper()
	config := bson.M{}
	for _, e := range n.must(bson.D{{Key: "replSetGetConfig", Value: 1}})["config"].(bson.D) {
		config[e.Key] = e.Value
	}
	return config
}

// change reconfigures through the primary, retrying while an earlier
// configuration is still on its way.
func change(t *testing.T, primary *node, edit func(config bson.M)) {
	t.Helper()
	eventually(t, "reconfigure", func() error {
		err := tryChange(primary, edit)
		if c := code(err); err != nil && c != 109 && c != 308 {
			t.Fatalf("replSetReconfig: %v", err)
		}
		return err
	})
}

func tryChange(n *node, edit func(config bson.M)) error {
	config := currentConfig(n)
	config["version"] = config["version"].(int32) + 1
	edit(config)
	_, err := n.system(bson.D{{Key: "replSetReconfig", Value: config}})
	return err
}

func join(t *testing.T, primary *node, id int, n *node, votes int) {
	t.Helper()
	change(t, primary, func(config bson.M) {
		config["members"] = append(config["members"].(bson.A), entry(id, n, votes))
	})
}

func memberOf(config bson.M, id int) bson.D {
	for _, m := range config["members"].(bson.A) {
		doc := m.(bson.D)
		if fmt.Sprint(field(doc, "_id")) == fmt.Sprint(id) {
			return doc
		}
	}
	return nil
}

func field(doc bson.D, key string) any {
	for _, e := range doc {
		if e.Key == key {
			return e.Value
		}
	}
	return nil
}

func setField(doc bson.D, key string, value any) {
	for i := range doc {
		if doc[i].Key == key {
			doc[i].Value = value
		}
	}
}

func setVotes(t *testing.T, primary *node, id, votes int) {
	t.Helper()
	change(t, primary, func(config bson.M) {
		setField(memberOf(config, id), "votes", votes)
		setField(memberOf(config, id), "priority", votes)
	})
}

// states maps host to state as n sees the set.
func states(n *node) (map[string]string, error) {
	status, err := n.system(bson.D{{Key: "replSetGetStatus", Value: 1}})
	if err != nil {
		return nil, err
	}
	seen := map[string]string{}
	for _, m := range status["members"].(bson.A) {
		seen[field(m.(bson.D), "name").(string)] = field(m.(bson.D), "stateStr").(string)
	}
	return seen, nil
}

// waitFor waits until n reports the state for itself.
func waitFor(t *testing.T, n *node, state string) {
	t.Helper()
	waitSeen(t, n, n, state)
}

// waitSeen waits until observer reports the state of the subject.
func waitSeen(t *testing.T, observer, subject *node, state string) {
	t.Helper()
	eventually(t, fmt.Sprintf("see %s as %s", subject.host(), state), func() error {
		seen, err := states(observer)
		if err == nil && seen[subject.host()] != state {
			err = fmt.Errorf("state is %q", seen[subject.host()])
		}
		return err
	})
}

// waitPrimary waits until exactly one of the nodes says it is primary.
func waitPrimary(t *testing.T, nodes ...*node) (primary *node) {
	t.Helper()
	eventually(t, "elect one primary", func() error {
		count := 0
		for _, n := range nodes {
			reply, err := n.system(bson.D{{Key: "hello", Value: 1}})
			if err == nil && reply["isWritablePrimary"] == true {
				count, primary = count+1, n
			}
		}
		if count != 1 {
			return fmt.Errorf("%d primaries", count)
		}
		return nil
	})
	return primary
}

func others(nodes []*node, not *node) (rest []*node) {
	for _, n := range nodes {
		if n != not {
			rest = append(rest, n)
		}
	}
	return rest
}
