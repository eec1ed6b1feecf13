// Who may log in and what users may do.
package conformance

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const password = "p@ss w+rd/%:"

func createUser(name, pwd, role, db string) bson.D {
	return bson.D{{Key: "createUser", Value: name}, {Key: "pwd", Value: pwd},
		{Key: "roles", Value: bson.A{bson.D{{Key: "role", Value: role}, {Key: "db", Value: db}}}},
		{Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}}}}
}

func as(name, pwd string) *options.Credential {
	return &options.Credential{Username: name, Password: pwd, AuthSource: "admin", AuthMechanism: "SCRAM-SHA-256"}
}

// wantAuthFailure tells a refused login from any other trouble.
func wantAuthFailure(t *testing.T, c *mongo.Client) {
	t.Helper()
	_, err := adminCommand(c, bson.D{{Key: "listDatabases", Value: 1}})
	var ce mongo.CommandError
	if err == nil || !asCommandError(err, &ce) || ce.Code != 18 {
		t.Fatalf("got %v, want code 18", err)
	}
}

func asCommandError(err error, into *mongo.CommandError) bool {
	for err != nil {
		if ce, ok := err.(mongo.CommandError); ok {
			*into = ce
			return true
		}
		if se, ok := err.(interface{ ErrorCodes() []int }); ok && len(se.ErrorCodes()) > 0 {
			into.Code = int32(se.ErrorCodes()[0])
			return true
		}
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return false
		}
		err = u.Unwrap()
	}
	return false
}

func TestCommandsWithoutAuthenticationAreRefused(t *testing.T) {
	t.Parallel()
	anonymous := startNode(t).client(nil)
	for _, command := range []string{"replSetGetStatus", "listDatabases", "serverStatus"} {
		_, err := adminCommand(anonymous, bson.D{{Key: command, Value: 1}})
		wantCode(t, err, 13)
	}
}

func TestHelloNeedsNoAuthentication(t *testing.T) {
	t.Parallel()
	if _, err := adminCommand(startNode(t).client(nil), bson.D{{Key: "hello", Value: 1}}); err != nil {
		t.Fatal(err)
	}
}

func TestAnotherKeyIsRefused(t *testing.T) {
	t.Parallel()
	wrong := *systemUser
	wrong.Password = "YW5vdGhlciBrZXk="
	wantAuthFailure(t, startNode(t).client(&wrong))
}

func TestUserLogsInOnEveryMember(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 2)
	nodes[0].must(createUser("app", password, "readWrite", "shop"))
	for _, n := range nodes {
		eventually(t, "log in on "+n.host(), func() error {
			return n.client(as("app", password)).Database("shop").RunCommand(context.Background(), bson.D{{Key: "count", Value: "orders"}}).Err()
		})
	}
}

func TestUserLogsInByURIWithReservedCharacters(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 1)
	nodes[0].must(createUser("app", password, "readWrite", "shop"))
	uri := setURI(nodes, url.Values{"authSource": {"admin"}})
	uri = strings.Replace(uri, "mongodb://", "mongodb://app:p%40ss%20w%2Brd%2F%25%3A@", 1)
	if _, err := connect(t, uri, nil).Database("shop").Collection("orders").InsertOne(context.Background(), bson.D{{Key: "n", Value: 1}}); err != nil {
		t.Fatal(err)
	}
}

func TestWrongPasswordIsRefused(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	n.must(createUser("app", password, "readWrite", "shop"))
	wantAuthFailure(t, n.client(as("app", "wrong")))
	wantAuthFailure(t, n.client(as("nobody", password)))
}

func TestReadWriteUserMayNotReconfigure(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	n.must(createUser("app", password, "readWrite", "shop"))
	_, err := adminCommand(n.client(as("app", password)), bson.D{{Key: "replSetReconfig", Value: currentConfig(n)}})
	wantCode(t, err, 13)
}

func TestReadWriteUserIsConfinedToItsDatabase(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	n.must(createUser("app", password, "readWrite", "shop"))
	insert := bson.D{{Key: "insert", Value: "c"}, {Key: "documents", Value: bson.A{bson.D{{Key: "a", Value: 1}}}}}
	app := n.client(as("app", password))
	if _, err := runCommand(app, "shop", insert); err != nil {
		t.Fatal(err)
	}
	_, err := runCommand(app, "bank", insert)
	wantCode(t, err, 13)
}

func TestClusterMonitorMayReadStatusButNotData(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	n.must(createUser("exporter", password, "clusterMonitor", "admin"))
	exporter := n.client(as("exporter", password))
	for _, command := range []string{"replSetGetStatus", "serverStatus"} {
		if _, err := adminCommand(exporter, bson.D{{Key: command, Value: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := runCommand(exporter, "shop", bson.D{{Key: "find", Value: "c"}})
	wantCode(t, err, 13)
}

func TestUpdateUserChangesThePassword(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	n.must(createUser("app", password, "readWrite", "shop"))
	n.must(bson.D{{Key: "updateUser", Value: "app"}, {Key: "pwd", Value: "new"}})
	wantAuthFailure(t, n.client(as("app", password)))
	if _, err := runCommand(n.client(as("app", "new")), "shop", bson.D{{Key: "count", Value: "c"}}); err != nil {
		t.Fatal(err)
	}
}

func TestUpdateUserReplacesTheRoles(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	n.must(createUser("app", password, "readWrite", "shop"))
	n.must(bson.D{{Key: "updateUser", Value: "app"}, {Key: "roles", Value: bson.A{bson.D{{Key: "role", Value: "read"}, {Key: "db", Value: "bank"}}}}})
	app := n.client(as("app", password))
	if _, err := runCommand(app, "bank", bson.D{{Key: "count", Value: "c"}}); err != nil {
		t.Fatal(err)
	}
	_, err := runCommand(app, "shop", bson.D{{Key: "count", Value: "c"}})
	wantCode(t, err, 13)
}

func TestUsersInfoListsUsersWithTheirRoles(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	if users := n.must(bson.D{{Key: "usersInfo", Value: "app"}})["users"].(bson.A); len(users) != 0 {
		t.Fatalf("unexpected users %v", users)
	}
	n.must(createUser("app", password, "readWrite", "shop"))
	users := n.must(bson.D{{Key: "usersInfo", Value: "app"}})["users"].(bson.A)
	if len(users) != 1 {
		t.Fatalf("users are %v", users)
	}
	user := users[0].(bson.D)
	role := field(user, "roles").(bson.A)[0].(bson.D)
	if field(user, "_id") != "admin.app" || field(user, "user") != "app" || field(user, "db") != "admin" || field(role, "role") != "readWrite" || field(role, "db") != "shop" {
		t.Fatalf("unexpected user %v", user)
	}
}

// usersInAllDatabases asks as the operator does: for some users by name and for those it has marked.
func usersInAllDatabases(n *node, ids ...string) map[string]bson.D {
	mark := bson.D{{Key: "customData.managedBy", Value: "eaiser-operator"}}
	byName := bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: append([]string{"none.none"}, ids...)}}}}
	reply := n.must(bson.D{
		{Key: "usersInfo", Value: bson.D{{Key: "forAllDBs", Value: true}}},
		{Key: "filter", Value: bson.D{{Key: "$or", Value: bson.A{byName, mark}}}},
		{Key: "showCredentials", Value: true},
	})
	found := map[string]bson.D{}
	for _, entry := range reply["users"].(bson.A) {
		user := entry.(bson.D)
		found[fmt.Sprint(field(user, "_id"))] = user
	}
	return found
}

// saveUser states a user in full, with a mark of its own, in another database than admin.
func saveUser(command, name, pwd string) bson.D {
	return append(bson.D{{Key: command, Value: name}, {Key: "pwd", Value: pwd},
		{Key: "roles", Value: bson.A{bson.D{{Key: "role", Value: "read"}, {Key: "db", Value: "bank"}}}}},
		bson.E{Key: "mechanisms", Value: bson.A{"SCRAM-SHA-256"}},
		bson.E{Key: "customData", Value: bson.D{{Key: "managedBy", Value: "eaiser-operator"}}},
		bson.E{Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}, {Key: "wtimeout", Value: 5000}}})
}

func TestUsersOfAllDatabasesAreFoundByNameAndByMark(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	n.must(createUser("app", password, "readWrite", "shop"))
	if _, err := runCommand(n.client(systemUser), "shop", saveUser("createUser", "marked", password)); err != nil {
		t.Fatal(err)
	}
	found := usersInAllDatabases(n, "admin.app")
	app, marked := found["admin.app"], found["shop.marked"]
	if app == nil || marked == nil {
		t.Fatalf("found %v", found)
	}
	if role := field(marked, "roles").(bson.A)[0].(bson.D); field(role, "role") != "read" || field(role, "db") != "bank" {
		t.Fatalf("unexpected roles of %v", marked)
	}
	if fmt.Sprint(field(field(marked, "customData").(bson.D), "managedBy")) != "eaiser-operator" {
		t.Fatalf("no mark: %v", marked)
	}
	// Nobody asked for it: whoever reads the reply must do without a mark.
	for _, entry := range app {
		if entry.Key == "customData" {
			t.Fatalf("unexpected mark: %v", app)
		}
	}
}

func TestStoredCredentialsChangeWithThePasswordAndOnlyThen(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	system := n.client(systemUser)
	if _, err := runCommand(system, "shop", saveUser("createUser", "marked", password)); err != nil {
		t.Fatal(err)
	}
	credentials := func() string {
		return fmt.Sprint(field(usersInAllDatabases(n)["shop.marked"], "credentials"))
	}
	first := credentials()
	if again := credentials(); again != first || !strings.Contains(first, "SCRAM-SHA-256") {
		t.Fatalf("%s, then %s", first, again)
	}
	if _, err := runCommand(system, "shop", bson.D{{Key: "updateUser", Value: "marked"}, {Key: "roles", Value: bson.A{}}}); err != nil {
		t.Fatal(err)
	}
	if changed := credentials(); changed != first {
		t.Fatalf("roles changed the credentials: %s, then %s", first, changed)
	}
	if _, err := runCommand(system, "shop", saveUser("updateUser", "marked", "another")); err != nil {
		t.Fatal(err)
	}
	if credentials() == first {
		t.Fatal("another password has the same credentials")
	}
}

func TestUpdateUserStatesTheWholeUser(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	system := n.client(systemUser)
	plain := bson.D{{Key: "createUser", Value: "marked"}, {Key: "pwd", Value: "first"}, {Key: "roles", Value: bson.A{"readWrite"}}}
	if _, err := runCommand(system, "shop", plain); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := runCommand(system, "shop", saveUser("updateUser", "marked", password)); err != nil {
			t.Fatal(err)
		}
	}
	login := as("marked", password)
	login.AuthSource = "shop"
	if _, err := runCommand(n.client(login), "bank", bson.D{{Key: "count", Value: "c"}}); err != nil {
		t.Fatal(err)
	}
	_, err := runCommand(n.client(login), "shop", bson.D{{Key: "count", Value: "c"}})
	wantCode(t, err, 13)
}

// A user without any role on it may still be told apart from a wrong password.
func TestConnectionStatusAnswersAUserWithoutRoles(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	n.must(bson.D{{Key: "createUser", Value: "nobody"}, {Key: "pwd", Value: password}, {Key: "roles", Value: bson.A{}}})
	if _, err := adminCommand(n.client(as("nobody", password)), bson.D{{Key: "connectionStatus", Value: 1}}); err != nil {
		t.Fatal(err)
	}
}

func TestDroppedUserCannotLogIn(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	n.must(createUser("app", password, "readWrite", "shop"))
	n.must(bson.D{{Key: "dropUser", Value: "app"}})
	wantAuthFailure(t, n.client(as("app", password)))
}

func TestCreatingAUserTwiceIsRefused(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	n.must(createUser("app", password, "readWrite", "shop"))
	_, err := n.system(createUser("app", password, "readWrite", "shop"))
	wantCode(t, err, 51003)
}

func TestChangingAnUnknownUserIsRefused(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	_, err := n.system(bson.D{{Key: "updateUser", Value: "nobody"}, {Key: "pwd", Value: "x"}})
	wantCode(t, err, 11)
	_, err = n.system(bson.D{{Key: "dropUser", Value: "nobody"}})
	wantCode(t, err, 11)
}

func TestUnknownRoleIsRefused(t *testing.T) {
	t.Parallel()
	_, err := startSet(t, 1)[0].system(createUser("app", password, "noSuchRole", "admin"))
	wantCode(t, err, 31)
}

func TestCreateUserOnASecondaryIsRefused(t *testing.T) {
	t.Parallel()
	_, err := startSet(t, 2)[1].system(createUser("app", password, "readWrite", "shop"))
	wantCode(t, err, 10107)
}

func TestKeyfileThatOthersMayReadPreventsTheStart(t *testing.T) {
	t.Parallel()
	key := filepath.Join(t.TempDir(), "keyfile")
	if err := os.WriteFile(key, []byte(keyText), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(mongodPath, "--replSet", setName, "--port", strconv.Itoa(freePort(t)), "--dbpath", t.TempDir(), "--keyFile", key).CombinedOutput()
	if exit, isExit := err.(*exec.ExitError); !isExit || exit.ExitCode() < 1 {
		t.Fatalf("%v: %s", err, out)
	}
}

func TestConnectionStatusNamesTheUser(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	n.must(createUser("app", password, "readWrite", "shop"))
	reply, err := adminCommand(n.client(as("app", password)), bson.D{{Key: "connectionStatus", Value: 1}})
	if err != nil {
		t.Fatal(err)
	}
	users := field(reply["authInfo"].(bson.D), "authenticatedUsers").(bson.A)
	if len(users) != 1 || fmt.Sprint(field(users[0].(bson.D), "user")) != "app" {
		t.Fatalf("users are %v", users)
	}
}
