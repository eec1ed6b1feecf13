// Indexes as the operator builds and lists them.
package conformance

import (
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func createIndex(n *node, index bson.D) error {
	_, err := runCommand(n.client(systemUser), "shop", bson.D{{Key: "createIndexes", Value: "users"}, {Key: "indexes", Value: bson.A{index}},
		{Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}}}})
	return err
}

// byEmail is an index on one field, with further options.
func byEmail(name string, options ...bson.E) bson.D {
	return append(bson.D{{Key: "key", Value: bson.D{{Key: "email", Value: 1}}}, {Key: "name", Value: name}}, options...)
}

// listIndexes maps names to what is listed; one that is being built has its spec below "spec".
func listIndexes(t *testing.T, n *node) map[string]bson.D {
	t.Helper()
	reply, err := runCommand(n.client(systemUser), "shop", bson.D{{Key: "listIndexes", Value: "users"}, {Key: "includeBuildUUIDs", Value: true}, {Key: "cursor", Value: bson.D{{Key: "batchSize", Value: 1000}}}})
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bson.D{}
	for _, entry := range field(reply["cursor"].(bson.D), "firstBatch").(bson.A) {
		index := entry.(bson.D)
		if spec, building := field(index, "spec").(bson.D); building {
			index = spec
		}
		listed[field(index, "name").(string)] = index
	}
	return listed
}

func insertUsers(t *testing.T, n *node, emails ...string) {
	t.Helper()
	documents := bson.A{}
	for i, email := range emails {
		documents = append(documents, bson.D{{Key: "_id", Value: fmt.Sprint(email, i)}, {Key: "email", Value: email}})
	}
	if _, err := runCommand(n.client(systemUser), "shop", bson.D{{Key: "insert", Value: "users"}, {Key: "documents", Value: documents}, {Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}}}}); err != nil {
		t.Fatal(err)
	}
}

func TestIndexesOfAMissingCollectionAreNotFound(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	_, err := runCommand(n.client(systemUser), "shop", bson.D{{Key: "listIndexes", Value: "nothing"}, {Key: "includeBuildUUIDs", Value: true}})
	wantCode(t, err, 26)
}

func TestAnIndexIsBuiltOnAMissingCollectionAndListedWithItsOptions(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 2)
	index := bson.D{{Key: "key", Value: bson.D{{Key: "shop", Value: 1}, {Key: "created", Value: -1}}}, {Key: "name", Value: "by-shop"}, {Key: "unique", Value: true}, {Key: "sparse", Value: true}}
	if err := createIndex(nodes[0], index); err != nil {
		t.Fatal(err)
	}
	expiring := bson.D{{Key: "key", Value: bson.D{{Key: "seen", Value: 1}}}, {Key: "name", Value: "old"}, {Key: "expireAfterSeconds", Value: int64(3600)}}
	if err := createIndex(nodes[0], expiring); err != nil {
		t.Fatal(err)
	}
	listed := listIndexes(t, nodes[0])
	byShop := listed["by-shop"]
	if keys := fmt.Sprint(field(byShop, "key")); !strings.Contains(keys, "shop") || strings.Index(keys, "shop") > strings.Index(keys, "created") {
		t.Fatalf("keys: %v", keys)
	}
	if field(byShop, "unique") != true || field(byShop, "sparse") != true || field(byShop, "expireAfterSeconds") != nil {
		t.Fatalf("by-shop: %v", byShop)
	}
	if fmt.Sprint(field(listed["old"], "expireAfterSeconds")) != "3600" || field(listed["old"], "unique") != nil {
		t.Fatalf("old: %v", listed["old"])
	}
	if listed["_id_"] == nil || len(listed) != 3 {
		t.Fatalf("listed: %v", listed)
	}
}

func TestTheSameIndexAgainIsNoError(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	for range 2 {
		if err := createIndex(n, byEmail("email_1", bson.E{Key: "unique", Value: true})); err != nil {
			t.Fatal(err)
		}
	}
	if listed := listIndexes(t, n); len(listed) != 2 {
		t.Fatalf("listed: %v", listed)
	}
}

func TestAnIndexInTheWayIsAConflictAndStays(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	if err := createIndex(n, byEmail("email_1")); err != nil {
		t.Fatal(err)
	}
	otherKeys := bson.D{{Key: "key", Value: bson.D{{Key: "mail", Value: 1}}}, {Key: "name", Value: "email_1"}}
	wantCode(t, createIndex(n, otherKeys), 86)
	wantCode(t, createIndex(n, byEmail("by-email")), 85)
	// Which of the two depends on whether the version takes unique for a part of the index' identity.
	wantCode(t, createIndex(n, byEmail("email_1", bson.E{Key: "unique", Value: true})), 85, 86)
	wantCode(t, createIndex(n, byEmail("email_1", bson.E{Key: "expireAfterSeconds", Value: 60})), 85)
	listed := listIndexes(t, n)
	if len(listed) != 2 || field(listed["email_1"], "unique") != nil {
		t.Fatalf("listed: %v", listed)
	}
}

func TestAUniqueIndexOnDuplicatesFailsNamesTheValuesLastAndSucceedsWithoutThem(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 2)
	insertUsers(t, nodes[0], "a", "b", "b", "c")
	unique := byEmail("email_1", bson.E{Key: "unique", Value: true})
	err := createIndex(nodes[0], unique)
	wantCode(t, err, 11000)
	before, values, found := strings.Cut(err.Error(), "dup key: {")
	if !found || strings.Contains(before, "\"b\"") || !strings.Contains(values, "\"b\"") {
		t.Fatalf("values are not behind the first brace: %v", err)
	}
	if listed := listIndexes(t, nodes[0]); len(listed) != 1 {
		t.Fatalf("listed after a failed build: %v", listed)
	}
	for _, n := range nodes {
		eventually(t, "keep all documents on "+n.host(), func() error {
			reply, err := runCommand(n.client(systemUser), "shop", bson.D{{Key: "count", Value: "users"}})
			if err == nil && fmt.Sprint(reply["n"]) != "4" {
				err = fmt.Errorf("%v documents", reply["n"])
			}
			return err
		})
	}
	remove := bson.D{{Key: "q", Value: bson.D{{Key: "_id", Value: "b2"}}}, {Key: "limit", Value: 1}}
	if _, err := runCommand(nodes[0].client(systemUser), "shop", bson.D{{Key: "delete", Value: "users"}, {Key: "deletes", Value: bson.A{remove}}}); err != nil {
		t.Fatal(err)
	}
	if err := createIndex(nodes[0], unique); err != nil {
		t.Fatal(err)
	}
	if listed := listIndexes(t, nodes[0]); field(listed["email_1"], "unique") != true {
		t.Fatalf("listed: %v", listed)
	}
}

func TestASecondaryBuildsNoIndex(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 2)
	wantCode(t, createIndex(nodes[1], byEmail("email_1")), 10107)
}
