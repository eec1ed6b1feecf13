// Member-to-member traffic on the one port: a magic word no wire message can
// start with, proof of the keyfile both ways, then raft or one heartbeat.
package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/hashicorp/raft"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// peerMagic reads as a message length of 1.3 GB, so no client sends it.
const peerMagic = "MSTDNPR1"

const (
	purposeRaft      = "raft"
	purposeHeartbeat = "heartbeat"
)

// hello opens a peer connection; To names who the dialer means to reach, as
// addresses may have moved to another member since the name was resolved.
type peerHello struct {
	Purpose string   `bson:"purpose"`
	Set     string   `bson:"set"`
	To      string   `bson:"to"`
	Nonce   []byte   `bson:"nonce"`
	Proofs  [][]byte `bson:"proofs,omitempty"` // one per key of the sender's, or of the one in common
}

// beat is a heartbeat, request and reply alike.
type beat struct {
	From     string         `bson:"from"`
	Instance bson.ObjectID  `bson:"instance"` // of the process, to recognise oneself
	Config   *replConfig    `bson:"config"`   // nil before initiation
	State    int32          `bson:"state"`
	At       bson.Timestamp `bson:"at"`
	Term     int64          `bson:"term"`
	Applied  uint64         `bson:"applied"` // index of the last entry applied
	Elected  bson.Timestamp `bson:"elected"`
	Source   string         `bson:"source"`
	Error    string         `bson:"error,omitempty"`
}

func readDocument(r io.Reader, into any) error {
	raw, err := bson.ReadDocument(io.LimitReader(r, 1<<20))
	if err != nil {
		return err
	}
	return bson.Unmarshal(raw, into)
}

func writeDocument(w io.Writer, doc any) error {
	raw, err := bson.Marshal(doc)
	if err != nil {
		return err
	}
	_, err = w.Write(raw)
	return err
}

func proof(key, role string, nonces ...[]byte) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(role))
	for _, n := range nonces {
		mac.Write(n)
	}
	return mac.Sum(nil)
}

// dialPeer connects to host, resolving its name anew, and proves the key.
func (m *member) dialPeer(host, purpose string, timeout time.Duration) (net.Conn, error) {
	conn, err := m.transport.dial(host, timeout)
	if err != nil {
		return nil, err
	}
	if err := m.greet(conn, host, purpose, timeout); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func (m *member) greet(conn net.Conn, host, purpose string, timeout time.Duration) error {
	_ = conn.SetDeadline(time.Now().Add(timeout))
	defer func() { _ = conn.SetDeadline(time.Time{}) }()
	mine := peerHello{Purpose: purpose, Set: m.options.replSet, To: host, Nonce: nonce()}
	if _, err := conn.Write([]byte(peerMagic)); err != nil {
		return err
	}
	if err := writeDocument(conn, mine); err != nil {
		return err
	}
	var theirs peerHello
	if err := readDocument(conn, &theirs); err != nil {
		return err
	}
	if theirs.Set != mine.Set {
		return fmt.Errorf("%s refused: it belongs to replica set %q, not %q", host, theirs.Set, mine.Set)
	}
	key, common := m.provenBy(theirs.Proofs, "acceptor", mine.Nonce, theirs.Nonce)
	if !common {
		return errors.New(host + " holds another keyfile")
	}
	return writeDocument(conn, peerHello{Proofs: [][]byte{proof(key, "dialer"+purpose+host, mine.Nonce, theirs.Nonce)}})
}

// provenBy finds a key of the file that the other side holds too: keys are
// rotated by listing two.
func (m *member) provenBy(given [][]byte, role string, nonces ...[]byte) (string, bool) {
	for _, key := range m.keys {
		for _, one := range given {
			if hmac.Equal(one, proof(key, role, nonces...)) {
				return key, true
			}
		}
	}
	return "", false
}

// nonce is 32 random bytes.
func nonce() []byte {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return b
}

// acceptPeer serves a connection that began with the magic word.
func (m *member) acceptPeer(conn net.Conn) error {
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	var theirs, proven peerHello
	if err := readDocument(conn, &theirs); err != nil {
		return err
	}
	mine := peerHello{Set: m.options.replSet, Nonce: nonce()}
	for _, key := range m.keys {
		mine.Proofs = append(mine.Proofs, proof(key, "acceptor", theirs.Nonce, mine.Nonce))
	}
	if err := writeDocument(conn, mine); err != nil {
		return err
	}
	if err := readDocument(conn, &proven); err != nil {
		return err
	}
	if _, common := m.provenBy(proven.Proofs, "dialer"+theirs.Purpose+theirs.To, theirs.Nonce, mine.Nonce); !common {
		return errors.New("a peer failed to prove the keyfile")
	}
	_ = conn.SetDeadline(time.Time{})
	if theirs.Purpose == purposeRaft {
		m.mu.Lock()
		stream, self := m.stream, m.Self
		m.mu.Unlock()
		if stream == nil || self != theirs.To {
			return fmt.Errorf("no raft here for %s", theirs.To)
		}
		select {
		case stream.accepted <- conn:
			return nil
		case <-stream.closed:
			return net.ErrClosed
		}
	}
	defer conn.Close()
	var b beat
	if err := readDocument(conn, &b); err != nil {
		return err
	}
	return writeDocument(conn, m.answer(b, theirs.To))
}

// ask sends one heartbeat to host.
func (m *member) ask(host string, timeout time.Duration) (reply beat, err error) {
	conn, err := m.dialPeer(host, purposeHeartbeat, timeout)
	if err != nil {
		return beat{}, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(timeout))
	if err = writeDocument(conn, m.beat()); err == nil {
		err = readDocument(conn, &reply)
	}
	if err == nil && reply.Error != "" {
		err = errors.New(reply.Error)
	}
	return reply, err
}

// raftStream lets raft's own transport run over peer connections.
type raftStream struct {
	m        *member
	addr     string
	accepted chan net.Conn
	closed   chan struct{}
}

type hostAddr string

func (hostAddr) Network() string  { return "tcp" }
func (h hostAddr) String() string { return string(h) }

func (s *raftStream) Addr() net.Addr { return hostAddr(s.addr) }

func (s *raftStream) Close() error { close(s.closed); return nil }

func (s *raftStream) Accept() (net.Conn, error) {
	select {
	case c := <-s.accepted:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *raftStream) Dial(to raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return s.m.dialPeer(string(to), purposeRaft, timeout)
}
