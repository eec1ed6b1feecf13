package main

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// config builds a configuration of members given as "id host votes priority".
func config(t *testing.T, version int, members ...[4]any) *replConfig {
	t.Helper()
	list := bson.A{}
	for _, m := range members {
		list = append(list, bson.D{{Key: "_id", Value: m[0]}, {Key: "host", Value: m[1]}, {Key: "votes", Value: m[2]}, {Key: "priority", Value: m[3]}})
	}
	raw, err := bson.Marshal(bson.D{{Key: "_id", Value: "rs"}, {Key: "version", Value: version}, {Key: "members", Value: list}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := parseConfig(raw)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var a, b, c = [4]any{0, "a:1", 1, 1}, [4]any{1, "b:1", 1, 1}, [4]any{2, "c:1", 1, 1}

func TestRulesForOneConfigurationFollowingAnother(t *testing.T) {
	for name, test := range map[string]struct {
		from, to *replConfig
		force    bool
		want     string
	}{
		"adding a voter":                {from: config(t, 1, a), to: config(t, 2, a, b)},
		"adding two voters":             {from: config(t, 1, a), to: config(t, 2, a, b, c), want: "at most 1 voting member"},
		"adding two voters by force":    {from: config(t, 1, a), to: config(t, 2, a, b, c), force: true},
		"replacing a voter":             {from: config(t, 1, a, b), to: config(t, 2, a, c), want: "at most 1 voting member"},
		"adding two without votes":      {from: config(t, 1, a), to: config(t, 2, a, [4]any{1, "b:1", 0, 0}, [4]any{2, "c:1", 0, 0})},
		"the same version":              {from: config(t, 2, a), to: config(t, 2, a), want: "must be greater than old"},
		"another id for a host":         {from: config(t, 1, a), to: config(t, 2, [4]any{5, "a:1", 1, 1}), want: "in the old configuration it is 0"},
		"the same host twice":           {from: config(t, 1, a), to: config(t, 2, a, [4]any{1, "a:1", 0, 0}), want: "same host field"},
		"the same id twice":             {from: config(t, 1, a), to: config(t, 2, a, [4]any{0, "b:1", 0, 0}), want: "same _id field"},
		"priority without a vote":       {from: config(t, 1, a), to: config(t, 2, a, [4]any{1, "b:1", 0, 1}), want: "priority must be 0 when non-voting"},
		"nobody electable":              {from: config(t, 1, a), to: config(t, 2, [4]any{0, "a:1", 1, 0}), want: "priority > 0"},
		"no members":                    {from: config(t, 1, a), to: config(t, 2), want: "at least one member"},
		"two votes for one member":      {from: config(t, 1, a), to: config(t, 2, [4]any{0, "a:1", 2, 1}), want: "must be 0 or 1"},
		"a host without a usable port":  {from: config(t, 1, a), to: config(t, 2, a, [4]any{1, "b:1:2", 0, 0}), want: "bad host field"},
		"a member that trades its vote": {from: config(t, 1, a, b), to: config(t, 2, a, [4]any{1, "b:1", 0, 0})},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.to.mayFollow(test.from, test.force)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestUnknownFieldsAreRefused(t *testing.T) {
	raw, _ := bson.Marshal(bson.D{{Key: "_id", Value: "rs"}, {Key: "memebrs", Value: bson.A{}}})
	if _, err := parseConfig(raw); err == nil {
		t.Fatal("accepted")
	}
}

func TestNewerComparesTermThenVersionAndVersionAloneAfterAForce(t *testing.T) {
	of := func(term int64, version int32) *replConfig { return &replConfig{Term: term, Version: version} }
	for _, test := range []struct {
		c, old *replConfig
		want   bool
	}{
		{of(2, 1), of(1, 9), true}, {of(1, 9), of(2, 1), false}, {of(1, 2), of(1, 1), true}, {of(1, 1), of(1, 1), false},
		{of(-1, 50), of(7, 3), true}, {of(8, 50), of(-1, 50), true}, {of(8, 49), of(-1, 50), false}, {of(1, 1), nil, true},
	} {
		if got := test.c.newer(test.old); got != test.want {
			t.Errorf("%+v newer than %+v is %v", test.c, test.old, got)
		}
	}
}
