// Reading and writing as applications do.
package conformance

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func TestSecondaryRefusesWrites(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 2)
	_, err := runCommand(nodes[1].client(systemUser), "shop", bson.D{{Key: "insert", Value: "c"}, {Key: "documents", Value: bson.A{bson.D{{Key: "a", Value: 1}}}}})
	wantCode(t, err, 10107)
}

func TestMajorityWriteReachesTheSecondaries(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 3)
	insertOrder(t, application(t, nodes), 1)
	for _, n := range nodes {
		waitCount(t, n, 1)
	}
}

func TestWriteConcernOfMoreMembersThanExistIsReported(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	_, err := runCommand(n.client(systemUser), "shop", bson.D{{Key: "insert", Value: "c"}, {Key: "documents", Value: bson.A{bson.D{{Key: "a", Value: 1}}}}, {Key: "writeConcern", Value: bson.D{{Key: "w", Value: 9}}}})
	we, isWrite := err.(mongo.WriteException)
	if !isWrite || we.WriteConcernError == nil || we.WriteConcernError.Code != 100 {
		t.Fatalf("got %v, want write concern error 100", err)
	}
}

func TestRetriedWriteIsNotAppliedTwiceAcrossAStepDown(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 3)
	app := application(t, nodes)
	counters := app.Database("shop").Collection("counters")
	if _, err := counters.InsertOne(context.Background(), bson.D{{Key: "_id", Value: 1}, {Key: "n", Value: 0}}); err != nil {
		t.Fatal(err)
	}
	session, err := app.StartSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.EndSession(context.Background())
	increment := func() error {
		ctx, cancel := context.WithTimeout(mongo.NewSessionContext(context.Background(), session), 20*time.Second)
		defer cancel()
		return app.Database("shop").RunCommand(ctx, bson.D{{Key: "update", Value: "counters"},
			{Key: "updates", Value: bson.A{bson.D{{Key: "q", Value: bson.D{{Key: "_id", Value: 1}}}, {Key: "u", Value: bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: 1}}}}}}}},
			{Key: "txnNumber", Value: int64(7)}, {Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}}}}).Err()
	}
	if err := increment(); err != nil {
		t.Fatal(err)
	}
	nodes[0].must(bson.D{{Key: "replSetStepDown", Value: 30}, {Key: "secondaryCatchUpPeriodSecs", Value: 10}})
	waitPrimary(t, nodes[1:]...)
	eventually(t, "retry the write", increment)
	var counter struct{ N int }
	if err := counters.FindOne(context.Background(), bson.D{{Key: "_id", Value: 1}}).Decode(&counter); err != nil || counter.N != 1 {
		t.Fatalf("n is %d, %v", counter.N, err)
	}
}

func TestDriverWritesThroughAStepDownWithoutAnError(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 3)
	app := application(t, nodes)
	done := make(chan error, 1)
	go func() {
		for id := range 100 {
			if _, err := app.Database("shop").Collection("orders").InsertOne(context.Background(), bson.D{{Key: "_id", Value: id}}); err != nil {
				done <- fmt.Errorf("order %d: %w", id, err)
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		done <- nil
	}()
	time.Sleep(300 * time.Millisecond)
	nodes[0].must(bson.D{{Key: "replSetStepDown", Value: 30}, {Key: "secondaryCatchUpPeriodSecs", Value: 10}})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	waitCount(t, waitPrimary(t, nodes...), 100)
}

func TestCrudIndexesAndAggregationWork(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 1)
	ctx := context.Background()
	users := application(t, nodes).Database("shop").Collection("users")
	if _, err := users.Indexes().CreateOne(ctx, mongo.IndexModel{Keys: bson.D{{Key: "email", Value: 1}}, Options: options.Index().SetUnique(true).SetName("email")}); err != nil {
		t.Fatal(err)
	}
	var documents []any
	for i := range 250 {
		documents = append(documents, bson.D{{Key: "email", Value: fmt.Sprint(i)}, {Key: "group", Value: i % 2}, {Key: "n", Value: 1}})
	}
	if _, err := users.InsertMany(ctx, documents); err != nil {
		t.Fatal(err)
	}
	if _, err := users.InsertOne(ctx, bson.D{{Key: "email", Value: "7"}}); !mongo.IsDuplicateKeyError(err) {
		t.Fatalf("got %v, want a duplicate key error", err)
	}
	if changed, err := users.UpdateMany(ctx, bson.D{{Key: "group", Value: 1}}, bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: 2}}}}); err != nil || changed.ModifiedCount != 125 {
		t.Fatalf("update: %v, %v", changed, err)
	}
	var sums []struct {
		ID    int `bson:"_id"`
		Total int `bson:"total"`
	}
	cursor, err := users.Aggregate(ctx, mongo.Pipeline{{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$group"}, {Key: "total", Value: bson.D{{Key: "$sum", Value: "$n"}}}}}}, {{Key: "$sort", Value: bson.D{{Key: "_id", Value: 1}}}}})
	if err == nil {
		err = cursor.All(ctx, &sums)
	}
	if err != nil || len(sums) != 2 || sums[0].Total != 125 || sums[1].Total != 375 {
		t.Fatalf("aggregate: %v, %v", sums, err)
	}
	if deleted, err := users.DeleteMany(ctx, bson.D{{Key: "group", Value: 0}}); err != nil || deleted.DeletedCount != 125 {
		t.Fatalf("delete: %v, %v", deleted, err)
	}
	names, err := users.Indexes().ListSpecifications(ctx)
	if err != nil || !slices.ContainsFunc(names, func(s mongo.IndexSpecification) bool { return s.Name == "email" }) {
		t.Fatalf("indexes: %v, %v", names, err)
	}
}

func TestUpsertsStoreTheSameDocumentOnEveryMember(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 2)
	ctx := context.Background()
	orders := application(t, nodes).Database("shop").Collection("orders")
	upsert := options.UpdateOne().SetUpsert(true)
	if _, err := orders.UpdateOne(ctx, bson.D{{Key: "k", Value: "a"}}, bson.D{{Key: "$set", Value: bson.D{{Key: "v", Value: 1}}}}, upsert); err != nil {
		t.Fatal(err)
	}
	if _, err := orders.ReplaceOne(ctx, bson.D{{Key: "k", Value: "b"}}, bson.D{{Key: "k", Value: "b"}}, options.Replace().SetUpsert(true)); err != nil {
		t.Fatal(err)
	}
	if _, err := orders.ReplaceOne(ctx, bson.D{{Key: "k", Value: "b"}}, bson.D{{Key: "k", Value: "b"}, {Key: "v", Value: 2}}, options.Replace().SetUpsert(true)); err != nil {
		t.Fatal(err)
	}
	if err := orders.FindOneAndUpdate(ctx, bson.D{{Key: "k", Value: "c"}}, bson.D{{Key: "$set", Value: bson.D{{Key: "v", Value: 3}}}}, options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Err(); err != nil {
		t.Fatal(err)
	}
	waitCount(t, nodes[1], 3)
	ids := map[*node]string{}
	for _, n := range nodes {
		var all []bson.D
		cursor, err := n.client(systemUser).Database("shop").Collection("orders").Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "k", Value: 1}}))
		if err == nil {
			err = cursor.All(ctx, &all)
		}
		if err != nil {
			t.Fatal(err)
		}
		ids[n] = fmt.Sprint(all)
	}
	if ids[nodes[0]] != ids[nodes[1]] {
		t.Fatalf("%s\n%s", ids[nodes[0]], ids[nodes[1]])
	}
}
