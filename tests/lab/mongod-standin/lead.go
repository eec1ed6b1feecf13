// What members do over time: heartbeats on all of them, and on the primary
// entering the log, membership changes and handing over.
package main

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// peer is what the last heartbeat said of another member.
type peer struct {
	beat
	up    bool
	heard time.Time // last answer
	ping  time.Duration
	err   string
}

func (m *member) beat() beat {
	at, term := m.fsm.optime()
	m.mu.Lock()
	defer m.mu.Unlock()
	b := beat{From: m.Self, Instance: m.instance, Config: m.Config, State: m.state(), At: at, Term: term, Elected: m.elected, Applied: m.fsm.applied.Load()}
	if b.State == stateSecondary || b.State == stateStartup2 {
		b.Source = m.primary()
	}
	return b
}

// answer takes a peer's heartbeat, which reached this process as member `to`.
func (m *member) answer(b beat, to string) beat {
	m.mu.Lock()
	known := m.Config
	if known == nil && b.Config != nil && b.Config.member(to) != nil {
		m.Self = to
	}
	self := m.Self
	if b.State == statePrimary && !m.Synced && m.raft != nil && m.syncTarget == 0 {
		m.syncTarget = b.Applied // of entries that clients and members wrote
	}
	m.mu.Unlock()
	switch {
	case known != nil && b.Config != nil && known.Settings.ReplicaSetID != b.Config.Settings.ReplicaSetID:
		return beat{Error: "replica set IDs do not match, ours: " + known.Settings.ReplicaSetID.Hex() + "; remote node's: " + b.Config.Settings.ReplicaSetID.Hex()}
	case known != nil && self != to:
		return beat{Error: "this is " + self + ", not " + to}
	case b.Config != nil && (known != nil || self == to):
		m.install(b.Config)
	}
	return m.beat()
}

// heartbeats asks every other member how it is, on schedule and when kicked.
func (m *member) heartbeats() {
	for {
		m.mu.Lock()
		wait, config, self := 2*time.Second, m.Config, m.Self
		m.settleRaft()
		m.state() // notices the end of the initial sync
		syncing := map[string]bool{}
		for host, p := range m.peers {
			syncing[host] = p.up && p.State != statePrimary && p.State != stateSecondary
		}
		m.mu.Unlock()
		if config != nil {
			wait = time.Duration(config.Settings.HeartbeatIntervalMillis) * time.Millisecond
			for _, other := range config.Members {
				if other.Host == self {
					continue
				}
				if syncing[other.Host] {
					wait = 250 * time.Millisecond
				}
				go m.checkOn(other.Host)
			}
		}
		select {
		case <-time.After(wait):
		case <-m.kicked:
			time.Sleep(20 * time.Millisecond) // let a burst of kicks be one
		}
	}
}

func (m *member) checkOn(host string) {
	begun := time.Now()
	reply, err := m.ask(host, 2*time.Second)
	m.mu.Lock()
	p := m.peers[host]
	before := p.State
	if p.up = err == nil; p.up {
		p.beat, p.heard, p.ping, p.err = reply, time.Now(), time.Since(begun), ""
	} else {
		p.err = err.Error()
	}
	m.peers[host] = p
	m.mu.Unlock()
	if p.up && reply.Config != nil {
		m.install(reply.Config)
	}
	if p.up && p.State != before {
		m.kick()
	}
}

// propose appends one entry and returns what applying it gave.
func (m *member) propose(e entry) (any, error) {
	m.mu.Lock()
	r := m.raft
	m.mu.Unlock()
	if r == nil {
		return nil, fail(notWritablePrimary, "not primary")
	}
	m.propose1.Lock()
	if at, _ := m.fsm.optime(); at.After(m.lastAt) {
		m.lastAt = at
	}
	if now := uint32(time.Now().Unix()); now > m.lastAt.T {
		m.lastAt = bson.Timestamp{T: now, I: 1}
	} else {
		m.lastAt.I++
	}
	e.At = m.lastAt
	data, err := bson.Marshal(e)
	if err != nil {
		m.propose1.Unlock()
		return nil, err
	}
	future := r.Apply(data, 10*time.Second)
	m.propose1.Unlock()
	switch err := future.Error(); err {
	case nil:
	case raft.ErrNotLeader, raft.ErrLeadershipTransferInProgress:
		return nil, fail(notWritablePrimary, "not primary")
	default:
		return nil, fail(interruptedByState, "operation was interrupted: %v", err)
	}
	if err, isError := future.Response().(error); isError && err != nil {
		return nil, err
	}
	return future.Response(), nil
}

func (m *member) proposeConfig(c replConfig) error {
	body, err := bson.Marshal(c)
	if err == nil {
		_, err = m.propose(entry{Kind: kindConfig, Body: body})
	}
	return err
}

// lead runs on the elected leader until it is one no more.
func (m *member) lead(r *raft.Raft) {
	if err := r.Barrier(0).Error(); err != nil {
		return
	}
	m.mu.Lock()
	c := *m.Config
	forced := c.Term < 0
	m.mu.Unlock()
	c.Term = int64(r.CurrentTerm())
	if m.proposeConfig(c) != nil {
		return
	}
	m.mu.Lock()
	m.ready, m.Synced, m.elected = true, true, m.lastAt
	self := m.Self
	m.save()
	m.mu.Unlock()
	if forced { // tells the others raft's membership, which only this member changed
		_ = r.AddVoter(raft.ServerID(self), raft.ServerAddress(self), 0, 0).Error()
	}
	logLine("I", "ELECTION", "Transition to primary complete", "term", c.Term)
	m.kick()
	for tick := 1; r.State() == raft.Leader; tick++ {
		if m.changing.TryLock() {
			_ = m.reconcile(r)
			m.changing.Unlock()
		}
		m.mu.Lock()
		successor, frozen := m.successor(), time.Now().Before(m.frozenUntil)
		better := successor != nil && *successor.Priority > *m.Config.member(m.Self).Priority
		m.mu.Unlock()
		if successor != nil && (frozen || better) {
			_ = r.LeadershipTransferToServer(raft.ServerID(successor.Host), raft.ServerAddress(successor.Host)).Error()
		}
		if tick%20 == 0 { // every ten seconds, as mongod, so that lag can be told from idleness
			_, _ = m.propose(entry{Kind: kindNoop})
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// reconcile makes raft's membership what the configuration says, one change at
// a time; a voter gets its vote in raft once it has caught up.
func (m *member) reconcile(r *raft.Raft) error {
	m.mu.Lock()
	config, peers := m.Config, map[string]peer{}
	for host, p := range m.peers {
		peers[host] = p
	}
	m.mu.Unlock()
	inRaft := map[string]raft.ServerSuffrage{}
	for _, s := range r.GetConfiguration().Configuration().Servers {
		if config.member(string(s.ID)) == nil {
			if err := r.RemoveServer(s.ID, 0, 5*time.Second).Error(); err != nil {
				return err
			}
		}
		inRaft[string(s.ID)] = s.Suffrage
	}
	for _, want := range config.Members {
		id, addr := raft.ServerID(want.Host), raft.ServerAddress(want.Host)
		suffrage, present := inRaft[want.Host]
		p, err := peers[want.Host], error(nil)
		switch caughtUp := p.up && p.State == stateSecondary; {
		case !present:
			err = r.AddNonvoter(id, addr, 0, 5*time.Second).Error()
		case want.votes() && suffrage != raft.Voter && caughtUp:
			err = r.AddVoter(id, addr, 0, 5*time.Second).Error()
		case !want.votes() && suffrage == raft.Voter:
			err = r.DemoteVoter(id, 0, 5*time.Second).Error()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// successor is the best member to hand the primary role to, or nil: electable,
// healthy, of the highest priority, then the furthest. m.mu is held.
func (m *member) successor() (best *memberConfig) {
	for i := range m.Config.Members {
		c := &m.Config.Members[i]
		p := m.peers[c.Host]
		if c.Host == m.Self || !c.electable() || !p.up || p.State != stateSecondary {
			continue
		}
		if best == nil || *c.Priority > *best.Priority || *c.Priority == *best.Priority && p.Applied > m.peers[best.Host].Applied {
			best = c
		}
	}
	return best
}

// handOver moves the primary role to another member before the deadline.
func (m *member) handOver(deadline time.Time) bool {
	for first := true; first || time.Now().Before(deadline); first = false {
		m.mu.Lock()
		r, to := m.raft, m.successor()
		m.mu.Unlock()
		if r == nil || r.State() != raft.Leader {
			return true
		}
		if to != nil && r.LeadershipTransferToServer(raft.ServerID(to.Host), raft.ServerAddress(to.Host)).Error() == nil {
			return true
		}
		m.kick()
		time.Sleep(100 * time.Millisecond)
	}
	return false
}

// askAll heartbeats every member of a proposed configuration at once.
func (m *member) askAll(c *replConfig) (replies map[string]beat, errs map[string]error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	replies, errs = map[string]beat{}, map[string]error{}
	for _, other := range c.Members {
		wg.Go(func() {
			b, err := m.ask(other.Host, 5*time.Second)
			mu.Lock()
			defer mu.Unlock()
			if replies[other.Host] = b; err != nil {
				errs[other.Host] = err
				delete(replies, other.Host)
			}
		})
	}
	wg.Wait()
	return replies, errs
}
