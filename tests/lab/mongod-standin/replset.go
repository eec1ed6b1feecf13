// The replSet* commands that change the set.
package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/raft"
	"go.mongodb.org/mongo-driver/v2/bson"
)

func (s *session) replSetInitiate(c command) (any, error) {
	m := s.m
	if !m.changing.TryLock() {
		return nil, fail(configInProgress, "another configuration change is under way")
	}
	defer m.changing.Unlock()
	if m.myState() != stateStartup {
		return nil, fail(alreadyInitialized, "already initialized")
	}
	raw, _ := c.body.Lookup(c.name).DocumentOK()
	if len(elements(raw)) == 0 {
		host, _ := os.Hostname()
		raw, _ = bson.Marshal(bson.D{{Key: "_id", Value: m.options.replSet}, {Key: "members", Value: bson.A{bson.D{{Key: "_id", Value: 0}, {Key: "host", Value: fmt.Sprintf("%s:%d", host, m.options.port)}}}}})
	}
	config, err := parseConfig(raw)
	if err != nil {
		return nil, err
	}
	config.Version = orDefault(config.Version, 1)
	if err := config.validate(); err != nil {
		return nil, fail(invalidConfig, "%v", err)
	}
	if config.Name != m.options.replSet {
		return nil, fail(invalidConfig, "Attempting to initiate a replica set with name %s, but command line reports %s; rejecting", config.Name, m.options.replSet)
	}
	replies, errs := m.askAll(config)
	self := ""
	for _, member := range config.Members {
		if b, answered := replies[member.Host]; answered && b.Instance == m.instance {
			self = member.Host
			if !member.electable() {
				return nil, fail(invalidConfig, "This node, %s, with _id %d is not electable under the new configuration", member.Host, member.ID)
			}
		} else if answered && b.Config != nil {
			errs[member.Host] = fmt.Errorf("it is already initialized")
		}
	}
	if self == "" {
		return nil, fail(invalidConfig, "No host described in new configuration with {version: %d, term: 0} for replica set %s maps to this node", config.Version, config.Name)
	}
	if len(errs) > 0 {
		return nil, fail(nodeNotFound, "replSetInitiate quorum check failed because not all proposed set members responded affirmatively: %s", joined(errs))
	}
	config.Settings.ReplicaSetID = bson.NewObjectID()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.identity = identity{Self: self, Config: config, Synced: true}
	m.save()
	if err := m.startRaft(true); err != nil {
		return nil, err
	}
	m.kick()
	return ok()
}

func joined(errs map[string]error) string {
	var parts []string
	for host, err := range errs {
		parts = append(parts, host+" failed with "+err.Error())
	}
	return strings.Join(parts, ", ")
}

func (s *session) replSetReconfig(c command) (any, error) {
	m := s.m
	m.mu.Lock()
	old, state, r := m.Config, m.state(), m.raft
	m.mu.Unlock()
	force := c.flag("force")
	if old == nil {
		return nil, fail(notYetInitialized, "Node not yet initialized; use the replSetInitiate command")
	}
	if !force && state != statePrimary {
		return nil, fail(notWritablePrimary, "New config is only valid on a writable PRIMARY. Current state %s; use the \"force\" argument to override", stateNames[state])
	}
	if !m.changing.TryLock() {
		return nil, fail(configInProgress, "Cannot run replSetReconfig because the node is currently updating its configuration")
	}
	defer m.changing.Unlock()
	raw, _ := c.body.Lookup(c.name).DocumentOK()
	config, err := parseConfig(raw)
	if err != nil {
		return nil, err
	}
	config.Term = old.Term
	if force {
		config.Version, config.Term = max(config.Version, old.Version)+10_000+rand.Int32N(90_000), -1
	}
	if config.Settings.ReplicaSetID.IsZero() {
		config.Settings.ReplicaSetID = old.Settings.ReplicaSetID
	}
	if err := config.mayFollow(old, force); err != nil {
		return nil, fail(incompatibleConfig, "%v", err)
	}
	me := config.member(m.Self)
	if me == nil {
		return nil, fail(incompatibleConfig, "No host described in new configuration with {version: %d, term: %d} for replica set %s maps to this node", config.Version, config.Term, config.Name)
	}
	if !force && !me.electable() {
		return nil, fail(incompatibleConfig, "This node, %s, with _id %d is not electable under the new configuration with {version: %d, term: %d} for replica set %s", me.Host, me.ID, config.Version, config.Term, config.Name)
	}
	if force && state != statePrimary {
		return m.forceConfig(config)
	}
	if err := m.checkQuorum(config); err != nil && !force {
		return nil, err
	}
	config.Term = int64(r.CurrentTerm())
	if err := m.proposeConfig(*config); err != nil {
		return nil, err
	}
	m.install(config)
	if err := m.reconcile(r); err != nil {
		return nil, fail(interruptedByState, "the configuration is written, but raft's membership does not follow yet: %v", err)
	}
	return ok()
}

// checkQuorum wants an answer from a majority of the new config's voters.
func (m *member) checkQuorum(c *replConfig) error {
	replies, errs := m.askAll(c)
	m.mu.Lock()
	for host, b := range replies { // a vote may be due to a member that just caught up
		m.peers[host] = peer{beat: b, up: true, heard: time.Now()}
	}
	m.mu.Unlock()
	var responded []string
	for _, member := range c.Members {
		if _, answered := replies[member.Host]; answered && member.votes() {
			responded = append(responded, member.Host)
		}
	}
	if need := c.voters()/2 + 1; len(responded) < need {
		return fail(nodeNotFound, "Quorum check failed because not enough voting nodes responded; required %d but only the following %d voting nodes responded: %s; the following nodes did not respond affirmatively: %s", need, len(responded), strings.Join(responded, ", "), joined(errs))
	}
	return nil
}

// forceConfig is the way out when no majority is left: raft's membership is
// rewritten on this member alone. Entries that it lacks are lost.
func (m *member) forceConfig(c *replConfig) (any, error) {
	m.mu.Lock()
	m.stopping = true
	m.mu.Unlock()
	m.stopRaft()
	if err := m.recoverAlone(c); err != nil {
		return nil, fail(interruptedByState, "cannot force the configuration: %v", err)
	}
	m.mu.Lock()
	m.stopping = false
	m.mu.Unlock()
	m.install(c)
	return ok()
}

func (m *member) recoverAlone(c *replConfig) error {
	if err := m.fsm.reset(); err != nil {
		return err
	}
	var servers raft.Configuration
	for _, member := range c.Members {
		server := raft.Server{ID: raft.ServerID(member.Host), Address: raft.ServerAddress(member.Host), Suffrage: raft.Nonvoter}
		if member.votes() {
			server.Suffrage = raft.Voter
		}
		servers.Servers = append(servers.Servers, server)
	}
	_, transport := m.newTransport()
	defer transport.Close()
	return raft.RecoverCluster(m.raftConfig(), m.fsm, m.logs, m.logs, m.snaps, transport, servers)
}

func (s *session) replSetStepDown(c command) (any, error) {
	m, force := s.m, c.flag("force")
	period := c.number(c.name, 60)
	catchUp := int64(10)
	if force {
		catchUp = 0
	}
	catchUp = c.number("secondaryCatchUpPeriodSecs", catchUp)
	if period < 0 || catchUp < 0 {
		return nil, fail(badValue, "stepdown period must be a positive integer")
	}
	if period < catchUp {
		return nil, fail(badValue, "stepdown period must be longer than secondaryCatchUpPeriodSecs")
	}
	if m.myState() != statePrimary {
		return nil, fail(notWritablePrimary, "not primary so can't step down")
	}
	until := time.Now().Add(time.Duration(period) * time.Second)
	if !m.handOver(time.Now().Add(time.Duration(catchUp)*time.Second)) && !force {
		return nil, fail(exceededTimeLimit, "No electable secondaries caught up as of %s. Please use the replSetStepDown command with the argument {force: true} to force node to step down.", time.Now().Format(time.RFC3339))
	}
	m.mu.Lock()
	m.frozenUntil = until
	m.mu.Unlock()
	m.kick()
	return ok()
}
