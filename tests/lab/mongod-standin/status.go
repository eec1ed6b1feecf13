// What a member tells of itself and its set: hello, replSetGetStatus,
// replSetGetConfig, serverStatus, buildInfo.
package main

import (
	"encoding/binary"
	"os"
	"runtime"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	version     = "7.0.42"
	standInNote = "not MongoDB: a test double made of FerretDB 1.24.0 (SQLite) and hashicorp/raft"
)

func (s *session) hello(c command) (any, error) {
	m := s.m
	at, term := m.fsm.optime()
	m.mu.Lock()
	config, state, primary := m.Config, m.state(), m.primary()
	m.mu.Unlock()
	writable := "isWritablePrimary"
	if strings.EqualFold(c.name, "isMaster") {
		writable = "ismaster"
	}
	doc := bson.D{{Key: writable, Value: state == statePrimary}, {Key: "secondary", Value: state == stateSecondary}}
	add := func(key string, value any) { doc = append(doc, bson.E{Key: key, Value: value}) }
	if c.flag("helloOk") {
		add("helloOk", true)
	}
	if config == nil || state == stateRemoved {
		add("info", "Does not have a valid replica set config")
		add("isreplicaset", true)
	} else {
		var hosts, passives bson.A
		for _, member := range config.Members {
			switch {
			case member.Hidden:
			case member.electable():
				hosts = append(hosts, member.Host)
			default:
				passives = append(passives, member.Host)
			}
		}
		add("hosts", hosts)
		if passives != nil {
			add("passives", passives)
		}
		add("setName", config.Name)
		add("setVersion", config.Version)
		if primary != "" {
			add("primary", primary)
		}
		add("me", m.Self)
		me := config.member(m.Self)
		if !me.electable() {
			add("passive", true)
		}
		if me.Hidden {
			add("hidden", true)
		}
		if state == statePrimary {
			add("electionId", electionID(config.Term))
		}
		add("lastWrite", bson.D{{Key: "opTime", Value: opTime(at, term)}, {Key: "lastWriteDate", Value: wall(at)}, {Key: "majorityOpTime", Value: opTime(at, term)}, {Key: "majorityWriteDate", Value: wall(at)}})
	}
	add("maxBsonObjectSize", int32(16<<20))
	add("maxMessageSizeBytes", int32(maxMessageBytes))
	add("maxWriteBatchSize", int32(100_000))
	add("localTime", bson.NewDateTimeFromTime(time.Now()))
	add("logicalSessionTimeoutMinutes", int32(30))
	add("connectionId", s.id)
	add("minWireVersion", int32(0))
	add("maxWireVersion", int32(21))
	add("readOnly", false)
	if db, name, asked := strings.Cut(c.str("saslSupportedMechs"), "."); asked && m.candidates(db, name) != nil {
		add("saslSupportedMechs", bson.A{mechanism})
	}
	if request, asked := c.body.Lookup("speculativeAuthenticate").DocumentOK(); asked {
		db, _ := request.Lookup("db").StringValueOK()
		if reply, err := s.saslStart(command{name: "saslStart", db: db, body: request}); err == nil {
			add("speculativeAuthenticate", reply)
		}
	}
	return ok(doc...)
}

// electionID grows with the term, so drivers can tell a stale primary.
func electionID(term int64) (id bson.ObjectID) {
	binary.BigEndian.PutUint32(id[:], 0x7fffffff)
	binary.BigEndian.PutUint64(id[4:], uint64(term))
	return id
}

func opTime(at bson.Timestamp, term int64) bson.D {
	return bson.D{{Key: "ts", Value: at}, {Key: "t", Value: term}}
}

func wall(at bson.Timestamp) bson.DateTime {
	return bson.NewDateTimeFromTime(time.Unix(int64(at.T), 0))
}

func (s *session) replSetGetStatus(command) (any, error) {
	m := s.m
	at, term := m.fsm.optime()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Config == nil {
		return nil, fail(notYetInitialized, "no replset config has been received")
	}
	if m.Config.member(m.Self) == nil {
		return nil, fail(invalidConfig, "Our replica set config is invalid or we are not a member of it")
	}
	state, primary, members := m.state(), m.primary(), bson.A{}
	for _, c := range m.Config.Members {
		if c.Host == m.Self {
			members = append(members, m.ownStatus(c, state, primary, at, term))
		} else {
			members = append(members, peerStatus(c, m.peers[c.Host], m.started, primary))
		}
	}
	source := ""
	if state != statePrimary {
		source = primary
	}
	voters := m.Config.voters()
	return ok(bson.E{Key: "set", Value: m.Config.Name}, bson.E{Key: "date", Value: bson.NewDateTimeFromTime(time.Now())},
		bson.E{Key: "myState", Value: state}, bson.E{Key: "term", Value: m.Config.Term},
		bson.E{Key: "syncSourceHost", Value: source}, bson.E{Key: "syncSourceId", Value: int32(-1)},
		bson.E{Key: "heartbeatIntervalMillis", Value: int64(m.Config.Settings.HeartbeatIntervalMillis)},
		bson.E{Key: "majorityVoteCount", Value: int32(voters/2 + 1)}, bson.E{Key: "writeMajorityCount", Value: int32(voters/2 + 1)},
		bson.E{Key: "votingMembersCount", Value: int32(voters)}, bson.E{Key: "writableVotingMembersCount", Value: int32(voters)},
		bson.E{Key: "optimes", Value: bson.D{{Key: "lastCommittedOpTime", Value: opTime(at, term)}, {Key: "appliedOpTime", Value: opTime(at, term)}, {Key: "durableOpTime", Value: opTime(at, term)}}},
		bson.E{Key: "members", Value: members})
}

func (m *member) ownStatus(c memberConfig, state int32, primary string, at bson.Timestamp, term int64) bson.D {
	doc := bson.D{{Key: "_id", Value: c.ID}, {Key: "name", Value: c.Host}, {Key: "health", Value: 1.0}, {Key: "state", Value: state}, {Key: "stateStr", Value: stateNames[state]},
		{Key: "uptime", Value: int32(time.Since(m.started).Seconds())}, {Key: "optime", Value: opTime(at, term)}, {Key: "optimeDate", Value: wall(at)},
		{Key: "configVersion", Value: m.Config.Version}, {Key: "configTerm", Value: m.Config.Term}, {Key: "self", Value: true}, {Key: "lastHeartbeatMessage", Value: ""}}
	if state == statePrimary {
		return append(doc, bson.E{Key: "electionTime", Value: m.elected}, bson.E{Key: "electionDate", Value: wall(m.elected)}, bson.E{Key: "syncSourceHost", Value: ""})
	}
	return append(doc, bson.E{Key: "syncSourceHost", Value: primary})
}

func peerStatus(c memberConfig, p peer, since time.Time, primary string) bson.D {
	health, state := 1.0, p.State
	switch {
	case !p.up && p.err != "":
		health, state = 0, stateDown
	case !p.up:
		health, state = 0, stateUnknown
	case state == statePrimary && primary != c.Host:
		state = stateSecondary // its heartbeat is older than the election
	}
	doc := bson.D{{Key: "_id", Value: c.ID}, {Key: "name", Value: c.Host}, {Key: "health", Value: health}, {Key: "state", Value: state}, {Key: "stateStr", Value: stateNames[state]}}
	add := func(key string, value any) { doc = append(doc, bson.E{Key: key, Value: value}) }
	at, term, uptime := p.At, p.Term, int32(time.Since(since).Seconds())
	if health == 0 {
		at, term, uptime = bson.Timestamp{}, -1, 0
	}
	add("uptime", uptime)
	add("optime", opTime(at, term))
	add("optimeDate", wall(at))
	add("lastHeartbeat", bson.NewDateTimeFromTime(p.heard))
	add("lastHeartbeatRecv", bson.NewDateTimeFromTime(p.heard))
	add("pingMs", p.ping.Milliseconds())
	add("lastHeartbeatMessage", p.err)
	add("syncSourceHost", p.Source)
	if state == statePrimary {
		add("electionTime", p.Elected)
		add("electionDate", wall(p.Elected))
	}
	if p.Config != nil {
		add("configVersion", p.Config.Version)
		add("configTerm", p.Config.Term)
	}
	return doc
}

func (s *session) replSetGetConfig(command) (any, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.m.Config == nil {
		return nil, fail(notYetInitialized, "no replset config has been received")
	}
	return ok(bson.E{Key: "config", Value: s.m.Config})
}

// storedConfig answers a find on local.system.replset, which a mongod serves in
// every state: the configuration on its disk, or nothing.
func (s *session) storedConfig() (any, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	stored := bson.A{}
	if s.m.Config != nil {
		stored = append(stored, s.m.Config)
	}
	return ok(bson.E{Key: "cursor", Value: bson.D{{Key: "firstBatch", Value: stored}, {Key: "id", Value: int64(0)}, {Key: "ns", Value: "local.system.replset"}}})
}

func (s *session) buildInfo(command) (any, error) {
	return ok(bson.E{Key: "version", Value: version}, bson.E{Key: "versionArray", Value: bson.A{int32(7), int32(0), int32(42), int32(0)}},
		bson.E{Key: "standIn", Value: true}, bson.E{Key: "standInNote", Value: standInNote}, bson.E{Key: "gitVersion", Value: "stand-in"},
		bson.E{Key: "modules", Value: bson.A{}}, bson.E{Key: "storageEngines", Value: bson.A{"ferretdb-sqlite"}},
		bson.E{Key: "bits", Value: int32(64)}, bson.E{Key: "maxBsonObjectSize", Value: int32(16 << 20)})
}

func (s *session) serverStatus(c command) (any, error) {
	repl, _ := s.hello(command{name: "hello", body: bson.Raw{5, 0, 0, 0, 0}})
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	host, _ := os.Hostname()
	open := s.m.server.open.Load()
	return ok(bson.E{Key: "host", Value: host}, bson.E{Key: "version", Value: version}, bson.E{Key: "standIn", Value: true},
		bson.E{Key: "process", Value: "mongod"}, bson.E{Key: "pid", Value: int64(os.Getpid())},
		bson.E{Key: "uptime", Value: time.Since(s.m.started).Seconds()}, bson.E{Key: "localTime", Value: bson.NewDateTimeFromTime(time.Now())},
		bson.E{Key: "connections", Value: bson.D{{Key: "current", Value: int32(open)}, {Key: "available", Value: int32(int64(s.m.options.maxConns) - open)}, {Key: "totalCreated", Value: s.m.server.accepted.Load()}}},
		bson.E{Key: "mem", Value: bson.D{{Key: "resident", Value: int32(mem.Sys >> 20)}}}, bson.E{Key: "repl", Value: repl})
}
