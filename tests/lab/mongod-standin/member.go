// One member of the set: its identity, its raft instance and the state that
// it reports. Identity and configuration outlive restarts in member.bson.
package main

import (
	"encoding/binary"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	stateStartup, statePrimary, stateSecondary, stateRecovering = 0, 1, 2, 3
	stateStartup2, stateUnknown, stateDown, stateRemoved        = 5, 6, 8, 10
)

var stateNames = map[int32]string{stateStartup: "STARTUP", statePrimary: "PRIMARY", stateSecondary: "SECONDARY",
	stateRecovering: "RECOVERING", stateStartup2: "STARTUP2", stateUnknown: "UNKNOWN",
	stateDown: "(not reachable/healthy)", stateRemoved: "REMOVED"}

// identity is what a member must remember by itself.
type identity struct {
	Self   string      `bson:"self"`
	Config *replConfig `bson:"config"`
	Synced bool        `bson:"synced"` // the initial sync is done
}

type member struct {
	options   options
	keys      []string
	transport *transport
	system    []user
	instance  bson.ObjectID
	started   time.Time
	fsm       *stateMachine
	logs      *commitLog
	snaps     raft.SnapshotStore
	kicked    chan struct{}
	changing  sync.Mutex // held while a configuration change is under way
	propose1  sync.Mutex // keeps optimes in log order
	lastAt    bson.Timestamp

	mu sync.Mutex // guards what follows
	identity
	server      *server
	raft        *raft.Raft
	stream      *raftStream
	stopping    bool // raft is being shut down
	ready       bool // leader, with all earlier entries applied
	elected     bson.Timestamp
	frozenUntil time.Time
	syncTarget  uint64
	peers       map[string]peer
}

const identityFile = "member.bson"

func (i *identity) load() error {
	raw, err := os.ReadFile(identityFile)
	if os.IsNotExist(err) {
		return nil
	} else if err != nil {
		return err
	}
	return bson.Unmarshal(raw, i)
}

// save writes the identity so that a crash leaves the old or the new one.
func (i *identity) save() {
	raw, err := bson.Marshal(i)
	if err == nil {
		err = os.WriteFile(identityFile+".new", raw, 0o600)
	}
	if err == nil {
		err = os.Rename(identityFile+".new", identityFile)
	}
	if err != nil {
		logLine("F", "STORAGE", "Cannot write the member's identity", "error", err.Error())
		os.Exit(14)
	}
}

// commitLog keeps with the last entry of each batch how far entries are
// committed, so that a restarted member shows its data before it meets a primary.
type commitLog struct {
	*raftboltdb.BoltStore
	applied *atomic.Uint64
}

func (l *commitLog) StoreLogs(logs []*raft.Log) error {
	marked := append([]*raft.Log{}, logs...)
	last := *marked[len(marked)-1]
	last.Extensions = binary.BigEndian.AppendUint64(nil, l.applied.Load())
	marked[len(marked)-1] = &last
	return l.BoltStore.StoreLogs(marked)
}

func (l *commitLog) StoreLog(log *raft.Log) error { return l.StoreLogs([]*raft.Log{log}) }

func (l *commitLog) committed() uint64 {
	var log raft.Log
	last, err := l.LastIndex()
	if err != nil || l.GetLog(last, &log) != nil || len(log.Extensions) != 8 {
		return 0
	}
	return min(last, binary.BigEndian.Uint64(log.Extensions))
}

// timing derives raft's timeouts. A follower stands after one to three of its
// heartbeat timeouts, so half of electionTimeoutMillis, and never more than a
// quarter of its default, keeps elections within what mongod's take.
func timing(c *replConfig) (heartbeat, lease time.Duration) {
	half := time.Duration(c.Settings.ElectionTimeoutMillis) * time.Millisecond / 2
	heartbeat = min(max(time.Second, half), 2500*time.Millisecond)
	return heartbeat, min(heartbeat, 2*time.Second)
}

func (m *member) raftConfig() *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(m.Self)
	c.HeartbeatTimeout, c.LeaderLeaseTimeout = timing(m.Config)
	c.ElectionTimeout = c.HeartbeatTimeout
	c.NoSnapshotRestoreOnStart = true // replay does it
	c.SnapshotInterval, c.SnapshotThreshold, c.TrailingLogs = 20*time.Second, 8192, 2048
	c.Logger = hclog.New(&hclog.LoggerOptions{Name: "raft", Level: hclog.Warn, JSONFormat: true, Output: os.Stdout})
	return c
}

func (m *member) newTransport() (*raftStream, *raft.NetworkTransport) {
	s := &raftStream{m: m, addr: m.Self, accepted: make(chan net.Conn, 16), closed: make(chan struct{})}
	return s, raft.NewNetworkTransportWithLogger(s, 3, 5*time.Second, hclog.NewNullLogger())
}

// startRaft brings the raft instance up on what the data folder holds; the
// founder of a set starts with itself as the only voter. m.mu is held.
func (m *member) startRaft(found bool) error {
	if err := m.fsm.reset(); err != nil {
		return err
	}
	if err := m.fsm.replay(m.snaps, m.logs); err != nil {
		return err
	}
	stream, transport := m.newTransport()
	conf, leads := m.raftConfig(), make(chan bool, 16)
	conf.NotifyCh = leads
	self := raft.Server{ID: conf.LocalID, Address: raft.ServerAddress(m.Self)}
	if found {
		if err := raft.BootstrapCluster(conf, m.logs, m.logs, m.snaps, transport, raft.Configuration{Servers: []raft.Server{self}}); err != nil {
			return err
		}
	}
	r, err := raft.NewRaft(conf, m.fsm, m.logs, m.logs, m.snaps, transport)
	if err != nil {
		return err
	}
	m.raft, m.stream, m.ready = r, stream, false
	go func() {
		for {
			select {
			case leader := <-leads:
				m.mu.Lock()
				m.ready = false
				m.mu.Unlock()
				if leader {
					go m.lead(r)
				}
				m.kick()
			case <-stream.closed:
				return
			}
		}
	}()
	servers := r.GetConfiguration().Configuration().Servers
	if len(servers) == 1 && servers[0] == self {
		go electAlone(r, transport, self)
	}
	return nil
}

// electAlone starts the election that a lone voter wins anyway at once, as
// mongod does, instead of after a heartbeat timeout.
func electAlone(r *raft.Raft, transport *raft.NetworkTransport, self raft.Server) {
	request := &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(self.ID), Addr: []byte(self.Address)}}
	for range 50 {
		if transport.TimeoutNow(self.ID, self.Address, request, &raft.TimeoutNowResponse{}) == nil || r.State() == raft.Leader {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// stopRaft ends the instance; m.stopping is set and m.mu is not held.
func (m *member) stopRaft() {
	m.mu.Lock()
	r := m.raft
	m.stream, m.ready = nil, false
	m.mu.Unlock()
	if r != nil {
		_ = r.Shutdown().Error()
	}
	m.mu.Lock()
	m.raft = nil
	m.mu.Unlock()
}

// settleRaft has raft run exactly while this member is in the configuration.
// m.mu is held.
func (m *member) settleRaft() {
	switch present := m.Config != nil && m.Config.member(m.Self) != nil; {
	case m.stopping:
	case !present && m.raft != nil:
		m.stopping = true
		go func() {
			m.stopRaft()
			m.mu.Lock()
			m.stopping = false
			m.mu.Unlock()
			m.kick()
		}()
	case present && m.raft == nil:
		if err := m.startRaft(false); err != nil {
			logLine("E", "REPL", "Cannot start raft", "error", err.Error())
		}
	}
}

// install adopts a configuration that is newer than the known one.
func (m *member) install(c *replConfig) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !c.newer(m.Config) {
		return
	}
	m.Config = c
	m.save()
	logLine("I", "REPL", "New replica set config in use", "version", c.Version, "term", c.Term, "self", m.Self)
	if m.raft != nil {
		now := m.raft.ReloadableConfig()
		now.HeartbeatTimeout, _ = timing(c)
		now.ElectionTimeout = now.HeartbeatTimeout
		if err := m.raft.ReloadConfig(now); err != nil {
			logLine("W", "REPL", "New election timeout counts after a restart", "error", err.Error())
		}
	}
	m.settleRaft()
	m.kick()
}

func (m *member) kick() {
	select {
	case m.kicked <- struct{}{}:
	default:
	}
}

// state is the member state that clients and peers are told. m.mu is held.
func (m *member) state() int32 {
	switch {
	case m.Config == nil:
		return stateStartup
	case m.Config.member(m.Self) == nil:
		return stateRemoved
	case m.raft == nil:
		return stateRecovering
	}
	if !m.Synced && m.syncTarget > 0 && m.fsm.applied.Load() >= m.syncTarget {
		m.Synced = true
		m.save()
		logLine("I", "INITSYNC", "Initial sync done", "appliedIndex", m.syncTarget)
	}
	if !m.Synced {
		return stateStartup2
	}
	if m.raft.State() == raft.Leader && m.ready && time.Now().After(m.frozenUntil) {
		return statePrimary
	}
	return stateSecondary
}

func (m *member) myState() int32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state()
}

// primary is the host of the known primary, or "". m.mu is held.
func (m *member) primary() string {
	if m.raft == nil {
		return ""
	}
	_, id := m.raft.LeaderWithID()
	if string(id) == m.Self && m.state() != statePrimary {
		return ""
	}
	return string(id)
}
