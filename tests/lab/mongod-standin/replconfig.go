// The replica set's configuration document and the rules by which one may
// follow another, as mongod 4.4 and later apply them. Pure.
package main

import (
	"fmt"
	"net"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

type memberConfig struct {
	ID           int32    `bson:"_id"`
	Host         string   `bson:"host"`
	ArbiterOnly  bool     `bson:"arbiterOnly"`
	BuildIndexes *bool    `bson:"buildIndexes"`
	Hidden       bool     `bson:"hidden"`
	Priority     *float64 `bson:"priority"`
	Tags         bson.D   `bson:"tags"`
	Delay        int64    `bson:"secondaryDelaySecs"`
	Votes        *int32   `bson:"votes"`
}

type replSettings struct {
	ChainingAllowed            *bool         `bson:"chainingAllowed"`
	HeartbeatIntervalMillis    int32         `bson:"heartbeatIntervalMillis"`
	HeartbeatTimeoutSecs       int32         `bson:"heartbeatTimeoutSecs"`
	ElectionTimeoutMillis      int32         `bson:"electionTimeoutMillis"`
	CatchUpTimeoutMillis       *int32        `bson:"catchUpTimeoutMillis"`
	CatchUpTakeoverDelayMillis *int32        `bson:"catchUpTakeoverDelayMillis"`
	GetLastErrorModes          bson.D        `bson:"getLastErrorModes"`
	GetLastErrorDefaults       bson.D        `bson:"getLastErrorDefaults"`
	ReplicaSetID               bson.ObjectID `bson:"replicaSetId"`
}

type replConfig struct {
	Name            string         `bson:"_id"`
	Version         int32          `bson:"version"`
	Term            int64          `bson:"term"`
	Members         []memberConfig `bson:"members"`
	ProtocolVersion int64          `bson:"protocolVersion"`
	JournalDefault  *bool          `bson:"writeConcernMajorityJournalDefault"`
	Settings        replSettings   `bson:"settings"`
}

func (m memberConfig) votes() bool     { return *m.Votes > 0 }
func (m memberConfig) electable() bool { return *m.Priority > 0 }

// member returns the entry of host, or nil.
func (c *replConfig) member(host string) *memberConfig {
	for i := range c.Members {
		if c.Members[i].Host == host {
			return &c.Members[i]
		}
	}
	return nil
}

// nameAfter is the new name of the member that old lists as self, or "" when it
// keeps its name or is gone.
func (c *replConfig) nameAfter(old *replConfig, self string) string {
	if old == nil || c.member(self) != nil || old.member(self) == nil {
		return ""
	}
	for _, m := range c.Members {
		if m.ID == old.member(self).ID {
			return m.Host
		}
	}
	return ""
}

func (c *replConfig) voters() (n int) {
	for _, m := range c.Members {
		if m.votes() {
			n++
		}
	}
	return n
}

// newer orders configurations as mongod does: by term, then version. A config
// without a term (forced) counts by version alone.
func (c *replConfig) newer(old *replConfig) bool {
	switch {
	case old == nil:
		return true
	case c.Term < 0 || old.Term < 0:
		return c.Version > old.Version || c.Version == old.Version && c.Term > old.Term
	}
	return c.Term > old.Term || c.Term == old.Term && c.Version > old.Version
}

const configFields = " _id version term members protocolVersion writeConcernMajorityJournalDefault settings configsvr "
const memberFields = " _id host arbiterOnly buildIndexes hidden priority tags secondaryDelaySecs slaveDelay votes "

// parseConfig reads a client's document and fills in mongod's defaults.
func parseConfig(raw bson.Raw) (*replConfig, error) {
	if err := onlyFields(raw, configFields, "replica set"); err != nil {
		return nil, err
	}
	members, _ := raw.Lookup("members").ArrayOK()
	values, _ := members.Values()
	for _, v := range values {
		doc, _ := v.DocumentOK()
		if err := onlyFields(doc, memberFields, "replica set member"); err != nil {
			return nil, err
		}
	}
	c := &replConfig{ProtocolVersion: 1}
	if err := bson.Unmarshal(raw, c); err != nil {
		return nil, fail(invalidConfig, "%v", err)
	}
	setDefault(&c.JournalDefault, true)
	s := &c.Settings
	setDefault(&s.ChainingAllowed, true)
	setDefault(&s.CatchUpTimeoutMillis, -1)
	setDefault(&s.CatchUpTakeoverDelayMillis, 30000)
	s.HeartbeatIntervalMillis = orDefault(s.HeartbeatIntervalMillis, 2000)
	s.HeartbeatTimeoutSecs = orDefault(s.HeartbeatTimeoutSecs, 10)
	s.ElectionTimeoutMillis = orDefault(s.ElectionTimeoutMillis, 10000)
	if s.GetLastErrorModes == nil {
		s.GetLastErrorModes = bson.D{}
	}
	s.GetLastErrorDefaults = bson.D{{Key: "w", Value: int32(1)}, {Key: "wtimeout", Value: int32(0)}}
	for i := range c.Members {
		m := &c.Members[i]
		setDefault(&m.BuildIndexes, true)
		setDefault(&m.Votes, 1)
		setDefault(&m.Priority, 1)
		if m.Tags == nil {
			m.Tags = bson.D{}
		}
		if !strings.Contains(m.Host, ":") && m.Host != "" {
			m.Host += ":27017"
		}
	}
	return c, nil
}

func onlyFields(doc bson.Raw, known, what string) error {
	for _, e := range elements(doc) {
		if !strings.Contains(known, " "+e.Key+" ") {
			return fail(invalidConfig, "Unexpected field %s in %s configuration", e.Key, what)
		}
	}
	return nil
}

func setDefault[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}

func orDefault(n, otherwise int32) int32 {
	if n == 0 {
		return otherwise
	}
	return n
}

// validate checks one configuration by itself.
func (c *replConfig) validate() error {
	if c.Name == "" || len(c.Members) == 0 {
		return fmt.Errorf("Replica set configuration must contain at least one member")
	}
	if c.Version <= 0 {
		return fmt.Errorf("version field value of %d is out of range", c.Version)
	}
	electable := 0
	for i, m := range c.Members {
		if _, _, err := net.SplitHostPort(m.Host); err != nil {
			return fmt.Errorf("Member %d has a bad host field %q", i, m.Host)
		}
		for j, other := range c.Members[:i] {
			if other.ID == m.ID {
				return fmt.Errorf("Found two member configurations with same _id field, members.%d._id == members.%d._id == %d", j, i, m.ID)
			}
			if other.Host == m.Host {
				return fmt.Errorf("Found two member configurations with same host field, members.%d.host == members.%d.host == %s", j, i, m.Host)
			}
		}
		switch {
		case m.ArbiterOnly:
			return fmt.Errorf("Member %s: this stand-in has no arbiters", m.Host)
		case *m.Votes < 0 || *m.Votes > 1:
			return fmt.Errorf("votes field value is %d but must be 0 or 1", *m.Votes)
		case *m.Priority < 0 || *m.Priority > 1000:
			return fmt.Errorf("priority field value of %v is out of range", *m.Priority)
		case !m.votes() && m.electable():
			return fmt.Errorf("priority must be 0 when non-voting (votes:0)")
		case m.Hidden && m.electable():
			return fmt.Errorf("priority must be 0 when hidden=true")
		}
		if m.electable() {
			electable++
		}
	}
	if electable == 0 {
		return fmt.Errorf("Replica set configuration must contain at least one non-arbiter member with priority > 0")
	}
	if c.voters() > 7 || len(c.Members) > 50 {
		return fmt.Errorf("Replica set configuration contains %d voting members and %d members, but must have at most 7 and 50", c.voters(), len(c.Members))
	}
	return nil
}

// mayFollow checks the step from old to c.
func (c *replConfig) mayFollow(old *replConfig, force bool) error {
	if err := c.validate(); err != nil {
		return err
	}
	if c.Version <= old.Version {
		return fmt.Errorf("New replica set configuration version and term must be greater than old, but {version: %d, term: %d} is not greater than {version: %d, term: %d} for replica set %s", c.Version, c.Term, old.Version, old.Term, c.Name)
	}
	if c.Name != old.Name {
		return fmt.Errorf("New and old configurations differ in replica set name; old was %s, and new is %s", old.Name, c.Name)
	}
	if c.Settings.ReplicaSetID != old.Settings.ReplicaSetID {
		return fmt.Errorf("New and old configurations differ in replica set ID; old was %s, and new is %s", old.Settings.ReplicaSetID.Hex(), c.Settings.ReplicaSetID.Hex())
	}
	changed, votedBefore := 0, map[int32]bool{}
	for _, m := range old.Members {
		votedBefore[m.ID] = m.votes()
		if now := c.member(m.Host); now != nil && now.ID != m.ID {
			return fmt.Errorf("New and old configurations both have members with host of %s but in the new configuration the _id field is %d and in the old configuration it is %d for replica set %s", m.Host, now.ID, m.ID, c.Name)
		}
	}
	for _, m := range c.Members {
		if m.votes() != votedBefore[m.ID] {
			changed++
		}
		delete(votedBefore, m.ID)
	}
	for _, voted := range votedBefore {
		if voted {
			changed++
		}
	}
	if changed > 1 && !force {
		return fmt.Errorf("Non force replica set reconfig can only add or remove at most 1 voting member.")
	}
	return nil
}
