// Losing members, handing over and coming back.
package conformance

import (
	"context"
	"fmt"
	"net/url"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
)

// application connects to the whole set as an application would.
func application(t *testing.T, nodes []*node) *mongo.Client {
	t.Helper()
	uri := setURI(nodes, url.Values{})
	o := options.Client().ApplyURI(uri).SetAuth(*nodes[0].user).SetServerSelectionTimeout(30 * time.Second)
	if nodes[0].secure != nil {
		o.SetTLSConfig(nodes[0].secure)
	}
	c, err := mongo.Connect(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = c.Disconnect(ctx)
	})
	return c
}

func insertOrder(t *testing.T, c *mongo.Client, id int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	if _, err := c.Database("shop").Collection("orders").InsertOne(ctx, bson.D{{Key: "_id", Value: id}}); err != nil {
		t.Fatalf("insert order %d: %v", id, err)
	}
}

// countOn counts the orders that one member holds itself.
func countOn(n *node) (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	orders := n.client(n.user).Database("shop", options.Database().SetReadPreference(readpref.SecondaryPreferred())).Collection("orders")
	return orders.CountDocuments(ctx, bson.D{})
}

func waitCount(t *testing.T, n *node, want int64) {
	t.Helper()
	eventually(t, fmt.Sprintf("find %d orders on %s", want, n.host()), func() error {
		got, err := countOn(n)
		if err == nil && got != want {
			err = fmt.Errorf("%d orders", got)
		}
		return err
	})
}

func TestMajorityWriteSurvivesAKilledPrimary(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 3)
	app := application(t, nodes)
	insertOrder(t, app, 1)
	nodes[0].kill()
	next := waitPrimary(t, nodes[1:]...)
	waitCount(t, next, 1)
	insertOrder(t, app, 2)
	waitCount(t, next, 2)
}

func TestKilledMemberIsReportedUnhealthyAndComesBackAsSecondary(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 3)
	nodes[2].kill()
	waitSeen(t, nodes[0], nodes[2], "(not reachable/healthy)")
	insertOrder(t, application(t, nodes), 1)
	nodes[2].start()
	waitSeen(t, nodes[0], nodes[2], "SECONDARY")
	waitCount(t, nodes[2], 1)
}

func TestKilledPrimaryComesBackAsSecondaryOrPrimaryOfTheSameSet(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 3)
	insertOrder(t, application(t, nodes), 1)
	nodes[0].kill()
	waitPrimary(t, nodes[1:]...)
	nodes[0].start()
	waitPrimary(t, nodes...)
	waitCount(t, nodes[0], 1)
}

func TestEmptiedMemberRejoinsWithTheData(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 3)
	app := application(t, nodes)
	for id := range 20 {
		insertOrder(t, app, id)
	}
	nodes[2].kill()
	nodes[2].empty()
	nodes[2].start()
	waitFor(t, nodes[2], "SECONDARY")
	waitCount(t, nodes[2], 20)
	if primary := waitPrimary(t, nodes...); primary == nodes[2] {
		t.Fatal("the emptied member leads")
	}
}

func TestLoneMemberKeepsItsDataOverAKill(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 1)
	insertOrder(t, application(t, nodes), 1)
	nodes[0].kill()
	nodes[0].start()
	waitFor(t, nodes[0], "PRIMARY")
	waitCount(t, nodes[0], 1)
}

func TestWholeSetRestartedFindsItsPrimaryAndData(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 3)
	insertOrder(t, application(t, nodes), 1)
	for _, n := range nodes {
		n.kill()
	}
	for _, n := range nodes {
		n.start()
	}
	waitPrimary(t, nodes...)
	for _, n := range nodes {
		waitCount(t, n, 1)
	}
}

func TestStepDownMakesAnotherMemberPrimary(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 3)
	nodes[0].must(bson.D{{Key: "replSetStepDown", Value: 30}, {Key: "secondaryCatchUpPeriodSecs", Value: 10}})
	waitPrimary(t, nodes[1:]...)
	waitFor(t, nodes[0], "SECONDARY")
}

func TestStepDownOfALoneMemberIsRefused(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	_, err := n.system(bson.D{{Key: "replSetStepDown", Value: 5}, {Key: "secondaryCatchUpPeriodSecs", Value: 1}})
	wantCode(t, err, 262)
	waitFor(t, n, "PRIMARY")
}

func TestStepDownOnASecondaryIsRefused(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 2)
	_, err := nodes[1].system(bson.D{{Key: "replSetStepDown", Value: 20}})
	wantCode(t, err, 10107)
}

func TestTerminatedPrimaryHandsOverAndExitsWithZero(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 3)
	if code := nodes[0].terminate(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	waitPrimary(t, nodes[1:]...)
}

func TestPrimaryWithoutAMajorityStepsDown(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 3)
	nodes[1].kill()
	nodes[2].kill()
	waitFor(t, nodes[0], "SECONDARY")
}

func TestForcedReconfigMakesALoneSurvivorPrimary(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 3)
	insertOrder(t, application(t, nodes), 1)
	before := currentConfig(nodes[0])["version"].(int32)
	nodes[1].kill()
	nodes[2].kill()
	waitFor(t, nodes[0], "SECONDARY")
	config := currentConfig(nodes[0])
	config["members"] = config["members"].(bson.A)[:1]
	nodes[0].must(bson.D{{Key: "replSetReconfig", Value: config}, {Key: "force", Value: true}})
	waitFor(t, nodes[0], "PRIMARY")
	waitCount(t, nodes[0], 1)
	if after := currentConfig(nodes[0])["version"].(int32); after <= before+1 {
		t.Fatalf("a forced version must leap: %d to %d", before, after)
	}
}

func TestElectionRaisesTheTerm(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 3)
	term := func(n *node) int64 { return n.must(bson.D{{Key: "replSetGetStatus", Value: 1}})["term"].(int64) }
	before := term(nodes[0])
	nodes[0].kill()
	if after := term(waitPrimary(t, nodes[1:]...)); after <= before {
		t.Fatalf("term went from %d to %d", before, after)
	}
}
