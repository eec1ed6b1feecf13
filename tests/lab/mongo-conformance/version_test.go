// Versions of the binary and of the data.
package conformance

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// binaryVersion is what buildInfo says, and its series.
func binaryVersion(t *testing.T, n *node) (full, series string) {
	t.Helper()
	full, _ = n.must(bson.D{{Key: "buildInfo", Value: 1}})["version"].(string)
	if !regexp.MustCompile(`^\d+\.\d+\.\d+`).MatchString(full) {
		t.Fatalf("version %q", full)
	}
	parts := strings.SplitN(full, ".", 3)
	return full, parts[0] + "." + parts[1]
}

func featureVersion(n *node) string {
	reply := n.must(bson.D{{Key: "getParameter", Value: 1}, {Key: "featureCompatibilityVersion", Value: 1}})
	return fmt.Sprint(field(reply["featureCompatibilityVersion"].(bson.D), "version"))
}

// setFeatureVersion confirms where the version asks for it, which older ones refuse as an unknown field.
func setFeatureVersion(t *testing.T, n *node, version string) error {
	t.Helper()
	_, series := binaryVersion(t, n)
	command := bson.D{{Key: "setFeatureCompatibilityVersion", Value: version}}
	if major, _ := strconv.Atoi(strings.SplitN(series, ".", 2)[0]); major >= 7 {
		command = append(command, bson.E{Key: "confirm", Value: true})
	}
	_, err := n.system(append(command, bson.E{Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}}}))
	return err
}

func TestEveryMemberTellsItsVersion(t *testing.T) {
	t.Parallel()
	for _, n := range startSet(t, 2) {
		binaryVersion(t, n)
	}
}

func TestANewSetHasTheFeatureVersionOfItsBinary(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	if _, series := binaryVersion(t, n); featureVersion(n) != series {
		t.Fatalf("feature version %s of a binary of %s", featureVersion(n), series)
	}
}

func TestSettingTheFeatureVersionThatIsThereChangesNothing(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	before := featureVersion(n)
	if err := setFeatureVersion(t, n, before); err != nil {
		t.Fatal(err)
	}
	if after := featureVersion(n); after != before {
		t.Fatalf("%s became %s", before, after)
	}
}

func TestAFeatureVersionAboveTheBinaryOrUnknownIsRefused(t *testing.T) {
	t.Parallel()
	n := startSet(t, 1)[0]
	before := featureVersion(n)
	for _, version := range []string{"99.0", "5.9", "banana"} {
		if err := setFeatureVersion(t, n, version); err == nil {
			t.Fatalf("%s was accepted", version)
		}
	}
	if after := featureVersion(n); after != before {
		t.Fatalf("%s became %s", before, after)
	}
}

func TestTheFeatureVersionIsSetOnThePrimaryOnly(t *testing.T) {
	t.Parallel()
	nodes := startSet(t, 2)
	wantCode(t, setFeatureVersion(t, nodes[1], featureVersion(nodes[0])), 10107)
}
