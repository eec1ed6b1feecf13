// Client connections: one loop per connection, and the way of each command to
// the member's own answers, the replicated log or the storage engine.
package main

import (
	"bufio"
	"encoding/hex"
	"net"
	"slices"
	"strings"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/bson"
)

type server struct {
	m        *member
	open     atomic.Int64
	accepted atomic.Int64
	quit     chan struct{} // closed by the shutdown command
}

// session is one client connection.
type session struct {
	m            *member
	id           int32
	user, userDB string
	login        *login
	engine       *engine // the engine that conn belongs to
	conn         *engineConn
}

var handlers = map[string]func(*session, command) (any, error){
	"hello": (*session).hello, "isMaster": (*session).hello, "ismaster": (*session).hello,
	"saslStart": (*session).saslStart, "saslContinue": (*session).saslContinue,
	"replSetInitiate": (*session).replSetInitiate, "replSetReconfig": (*session).replSetReconfig,
	"replSetGetConfig": (*session).replSetGetConfig, "replSetGetStatus": (*session).replSetGetStatus,
	"replSetStepDown": (*session).replSetStepDown, "usersInfo": (*session).usersInfo,
	"getParameter": (*session).getParameter, "serverStatus": (*session).serverStatus,
	"buildInfo": (*session).buildInfo, "buildinfo": (*session).buildInfo,
	"connectionStatus": (*session).connectionStatus, "logout": (*session).logout, "shutdown": (*session).shutdown,
	"ping": (*session).accept, "endSessions": (*session).accept, "refreshSessions": (*session).accept, "killSessions": (*session).accept,
}

// records change on a primary only, through the log.
var recordHandlers = map[string]func(*session, command) (any, error){
	"createUser": (*session).saveUser, "updateUser": (*session).saveUser, "dropUser": (*session).dropUser,
	"setFeatureCompatibilityVersion": (*session).setFCV,
}

func (s *session) accept(command) (any, error) { return ok() }

func (s *session) logout(command) (any, error) {
	s.user, s.userDB = "", ""
	return ok()
}

func (s *session) shutdown(command) (any, error) {
	close(s.m.server.quit)
	return ok()
}

func (s *session) connectionStatus(command) (any, error) {
	users, roles := bson.A{}, any(bson.A{})
	if s.user != "" {
		users = append(users, bson.D{{Key: "user", Value: s.user}, {Key: "db", Value: s.userDB}})
		u, _ := s.m.fsm.user(s.userDB + "." + s.user)
		roles = append([]role{}, u.Roles...)
	}
	return ok(bson.E{Key: "authInfo", Value: bson.D{{Key: "authenticatedUsers", Value: users}, {Key: "authenticatedUserRoles", Value: roles}}})
}

func (s *server) serve(l net.Listener) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go s.handle(conn)
	}
}

// handle tells peers from clients by their first bytes.
func (s *server) handle(conn net.Conn) {
	connections := s.open.Add(1)
	defer s.open.Add(-1)
	if connections > int64(s.m.options.maxConns) {
		logLine("W", "NETWORK", "Connection refused because there are too many open connections", "connectionCount", connections)
		conn.Close()
		return
	}
	raw := conn
	conn, r, err := s.m.transport.accept(raw)
	if err != nil {
		logLine("I", "NETWORK", "Error receiving request from client. Ending connection from remote", "remote", raw.RemoteAddr().String(), "error", err.Error())
		raw.Close()
		return
	}
	if first, err := r.Peek(len(peerMagic)); err == nil && string(first) == peerMagic {
		_, _ = r.Discard(len(peerMagic))
		if err := s.m.acceptPeer(bufferedConn{conn, r}); err != nil {
			logLine("I", "NETWORK", "Peer connection ended", "remote", conn.RemoteAddr().String(), "error", err.Error())
			conn.Close()
		}
		return
	}
	defer conn.Close()
	session := &session{m: s.m, id: int32(s.accepted.Add(1))}
	defer session.closeEngine()
	for {
		c, err := readCommand(r)
		if err != nil {
			return
		}
		reply, err := session.run(c)
		if err != nil {
			reply = errorReply(err, c.has("txnNumber"))
		}
		if c.silent {
			continue
		}
		out, err := encodeMessage(c, reply)
		if err != nil {
			return
		}
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

type bufferedConn struct {
	net.Conn
	r *bufio.Reader
}

func (c bufferedConn) Read(b []byte) (int, error) { return c.r.Read(b) }

// run answers one command.
func (s *session) run(c command) (any, error) {
	if err := s.authorise(c); err != nil {
		return nil, err
	}
	if c.flag("startTransaction") || c.has("autocommit") || c.name == "commitTransaction" || c.name == "abortTransaction" {
		return nil, fail(noTransactions, "this stand-in has no multi-document transactions")
	}
	if handler, own := handlers[c.name]; own {
		return handler(s, c)
	}
	group := privilege[c.name]
	handler, isRecord := recordHandlers[c.name]
	writes := isRecord || group == "write" || group == "ddl"
	switch state := s.m.myState(); {
	case writes && state != statePrimary:
		return nil, fail(notWritablePrimary, "not primary")
	case isRecord:
		return handler(s, c)
	case writes:
		return s.write(c)
	case c.db == "local" && c.name == "find" && c.str("find") == "system.replset":
		return s.storedConfig()
	case state != statePrimary && state != stateSecondary:
		return nil, fail(notPrimaryOrSecondary, "node is not in primary or recovering state")
	case state == stateSecondary && group == "read" && !c.secondaryOk():
		return nil, fail(notPrimaryNoSecondary, "not primary and secondaryOk=false")
	}
	return s.read(c)
}

func (c command) secondaryOk() bool {
	mode, isMode := c.body.Lookup("$readPreference", "mode").StringValueOK()
	return isMode && mode != "primary"
}

// write sends a command through the replicated log. It is acknowledged when a
// majority has it, whatever smaller write concern was asked for.
func (s *session) write(c command) (any, error) {
	if slices.Contains([]string{"local", "config"}, c.db) {
		return nil, fail(illegalOperation, "this stand-in keeps no collections of the clients' in %s", c.db)
	}
	body, err := withIDs(c)
	if err != nil {
		return nil, err
	}
	e := entry{Kind: kindWrite, Body: body}
	if txn, asked := c.body.Lookup("txnNumber").AsInt64OK(); asked {
		_, id, _ := c.body.Lookup("lsid", "id").BinaryOK()
		e.Session, e.Txn = hex.EncodeToString(id), txn
	}
	result, err := s.m.propose(e)
	if err != nil {
		return nil, err
	}
	reply, _ := result.(bson.Raw)
	s.m.mu.Lock()
	members := int64(len(s.m.Config.Members))
	s.m.mu.Unlock()
	if w, isNumber := c.body.Lookup("writeConcern", "w").AsInt64OK(); isNumber && w > members {
		return edit(reply, bson.D{{Key: "writeConcernError", Value: bson.D{{Key: "code", Value: int32(unsatisfiableConcern)}, {Key: "codeName", Value: codeNames[unsatisfiableConcern]}, {Key: "errmsg", Value: "Not enough data-bearing nodes"}}}})
	}
	return reply, nil
}

// read forwards a command to the storage engine on a connection of the
// session's own.
func (s *session) read(c command) (any, error) {
	if engine := s.m.fsm.current(); s.engine != engine {
		s.closeEngine()
		s.engine = engine
	}
	if s.conn == nil {
		conn, err := s.engine.dial()
		if err != nil {
			return nil, fail(interruptedByState, "the storage engine is restarting: %v", err)
		}
		s.conn = conn
	}
	reply, err := s.conn.run(c.body)
	if err != nil {
		s.closeEngine()
		return nil, fail(interruptedByState, "the storage engine is restarting: %v", err)
	}
	if n, _ := reply.Lookup("code").AsInt64OK(); code(n) == commandNotFound {
		return nil, fail(commandNotFound, "no such command: '%s'", strings.TrimSpace(c.name))
	}
	if c.name == "listIndexes" {
		return s.m.fsm.withOptions(c.body, reply)
	}
	return reply, nil
}

func (s *session) closeEngine() {
	if s.conn != nil {
		s.conn.Close()
	}
	s.conn, s.engine = nil, nil
}
