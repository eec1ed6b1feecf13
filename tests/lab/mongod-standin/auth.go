// Who may connect and do what: the keyfile, SCRAM-SHA-256, users and the
// built-in roles the lab needs.
package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/xdg-go/scram"
	"go.mongodb.org/mongo-driver/v2/bson"
	"gopkg.in/yaml.v3"
)

const mechanism = "SCRAM-SHA-256"

type role struct {
	Role string `bson:"role"`
	DB   string `bson:"db"`
}

type user struct {
	Name       string      `bson:"user"`
	DB         string      `bson:"db"`
	Roles      []role      `bson:"roles"`
	CustomData bson.Raw    `bson:"customData,omitempty"`
	UUID       bson.Binary `bson:"userId"`
	Salt       []byte      `bson:"salt"`
	StoredKey  []byte      `bson:"storedKey"`
	ServerKey  []byte      `bson:"serverKey"`
}

func (u user) key() string { return u.DB + "." + u.Name }

const iterations = 15000

func (u *user) setPassword(password string) error {
	client, err := scram.SHA256.NewClient(u.Name, password, "")
	if err != nil {
		return fail(badValue, "password is not allowed: %v", err)
	}
	if u.Salt == nil {
		u.Salt = nonce()[:28]
	}
	c := client.GetStoredCredentials(scram.KeyFactors{Salt: string(u.Salt), Iters: iterations})
	u.StoredKey, u.ServerKey = c.StoredKey, c.ServerKey
	return nil
}

var notKeyChar = regexp.MustCompile(`[^A-Za-z0-9+/=]`)

// readKeyfile returns the file's keys, the current one first; during a
// rotation the file is a YAML list of two. Checks are mongod's.
func readKeyfile(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("Error reading file %s: %w", path, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("permissions on %s are too open", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("Error reading file %s: %w", path, err)
	}
	var keys []string
	if yaml.Unmarshal(text, &keys) != nil || len(keys) == 0 {
		keys = []string{string(text)}
	}
	if len(keys) > 2 {
		return nil, fmt.Errorf("Only two keys are supported in the security key file, %d are specified in %s", len(keys), path)
	}
	for i, key := range keys {
		keys[i] = strings.Join(strings.Fields(key), "")
		if n := len(keys[i]); n < 6 || n > 1024 {
			return nil, fmt.Errorf("security key in %s has length %d, must be between 6 and 1024 chars", path, n)
		}
		if notKeyChar.MatchString(keys[i]) {
			return nil, fmt.Errorf("invalid char in key file %s", path)
		}
	}
	return keys, nil
}

// login is one SCRAM exchange; __system has one candidate per key of the
// keyfile, which share salt and nonce and part only at the proof.
type login struct {
	db, name      string
	conversations []*scram.ServerConversation
	skipEmpty     bool
}

func (m *member) candidates(db, name string) []user {
	if db == "local" && name == "__system" && m.options.keyFile != "" {
		return m.system
	}
	if u, found := m.fsm.user(db + "." + name); found {
		return []user{u}
	}
	return nil
}

var errAuthentication = fail(authenticationFailed, "Authentication failed.")

func (s *session) saslStart(c command) (any, error) {
	if got := c.str("mechanism"); got != mechanism {
		return nil, fail(334, "Received authentication for mechanism %s which is unknown or not enabled", got)
	}
	s.login = &login{db: c.db, skipEmpty: c.flag("options", "skipEmptyExchange")}
	_, payload, _ := c.body.Lookup("payload").BinaryOK()
	parts := strings.SplitN(string(payload), ",", 4)
	if len(parts) == 4 {
		s.login.name = strings.NewReplacer("=2C", ",", "=3D", "=").Replace(strings.TrimPrefix(parts[2], "n="))
	}
	serverNonce := base64.StdEncoding.EncodeToString(nonce())
	for _, u := range s.m.candidates(s.login.db, s.login.name) {
		server, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) {
			return scram.StoredCredentials{KeyFactors: scram.KeyFactors{Salt: string(u.Salt), Iters: iterations}, StoredKey: u.StoredKey, ServerKey: u.ServerKey}, nil
		})
		if err != nil {
			return nil, err
		}
		s.login.conversations = append(s.login.conversations, server.WithNonceGenerator(func() string { return serverNonce }).NewConversation())
	}
	return s.saslContinue(c)
}

func (s *session) saslContinue(c command) (any, error) {
	if s.login == nil {
		return nil, fail(17, "No SASL session state found")
	}
	subtype, payload, _ := c.body.Lookup("payload").BinaryOK()
	answer, complete, err := s.login.step(string(payload))
	if err != nil {
		logLine("I", "ACCESS", "Authentication failed", "user", s.login.name, "db", s.login.db, "error", err.Error())
		s.login = nil
		return nil, errAuthentication
	}
	if complete {
		s.user, s.userDB = s.login.name, s.login.db
	}
	done := complete && (s.login.skipEmpty || len(payload) == 0)
	return ok(bson.E{Key: "conversationId", Value: int32(1)}, bson.E{Key: "done", Value: done},
		bson.E{Key: "payload", Value: bson.Binary{Subtype: subtype, Data: []byte(answer)}})
}

// step feeds the client's message to every candidate and keeps those it fits.
func (l *login) step(message string) (answer string, complete bool, err error) {
	if len(l.conversations) == 1 && l.conversations[0].Done() && message == "" {
		return "", true, nil
	}
	err = errors.New("no such user")
	var fitting []*scram.ServerConversation
	for _, conversation := range l.conversations {
		reply, stepErr := conversation.Step(message)
		if stepErr != nil {
			err = stepErr
			continue
		}
		answer = reply
		fitting = append(fitting, conversation)
	}
	if l.conversations = fitting; len(fitting) == 0 {
		return "", false, err
	}
	return answer, fitting[0].Valid(), nil
}

// privilege groups commands the way the built-in roles grant them.
var privilege = map[string]string{}

func init() {
	for group, names := range map[string]string{
		"open":    "hello isMaster ismaster ping buildInfo buildinfo saslStart saslContinue logout connectionStatus endSessions whatsmyuri",
		"session": "refreshSessions killSessions startSession listCommands killCursors getMore listDatabases",
		"read":    "find aggregate count distinct listCollections listIndexes dbStats collStats explain dataSize validate",
		"write":   "insert update delete findAndModify findandmodify create createIndexes drop dropIndexes collMod renameCollection",
		"ddl":     "dropDatabase",
		"users":   "createUser updateUser dropUser usersInfo",
		"monitor": "replSetGetStatus replSetGetConfig serverStatus getParameter getCmdLineOpts hostInfo getLog",
		"manage":  "replSetInitiate replSetReconfig replSetStepDown setFeatureCompatibilityVersion",
		"host":    "shutdown setParameter",
	} {
		for _, name := range strings.Fields(names) {
			privilege[name] = group
		}
	}
}

var grants = map[string]string{
	"read": "read", "readWrite": "read write", "dbAdmin": "ddl", "dbOwner": "read write ddl users", "userAdmin": "users",
	"clusterMonitor": "monitor", "clusterManager": "manage monitor", "hostManager": "host", "clusterAdmin": "manage monitor host ddl",
	"root": "read write ddl users monitor manage host", "backup": "read monitor", "restore": "write ddl users",
}

// grantOf splits a role into what it grants and whether on every database.
func grantOf(r role) (groups []string, everywhere, known bool) {
	base, anyDB := strings.CutSuffix(r.Role, "AnyDatabase")
	granted, found := grants[base]
	cluster := slices.Contains([]string{"clusterMonitor", "clusterManager", "hostManager", "clusterAdmin", "root", "backup", "restore"}, base)
	if anyDB && (cluster || base == "dbOwner") || (anyDB || cluster) && r.DB != "admin" {
		found = false
	}
	return strings.Fields(granted), anyDB || cluster, found
}

// authorise refuses what the connection's user may not do.
func (s *session) authorise(c command) error {
	group := privilege[c.name]
	if group == "open" || s.m.options.keyFile == "" {
		return nil
	}
	if s.user == "" {
		return fail(unauthorized, "Command %s requires authentication", c.name)
	}
	if s.userDB == "local" || group == "session" || group == "" {
		return nil
	}
	u, _ := s.m.fsm.user(s.userDB + "." + s.user)
	for _, r := range u.Roles {
		groups, everywhere, _ := grantOf(r)
		if slices.Contains(groups, group) && (everywhere || r.DB == c.db) {
			return nil
		}
	}
	return fail(unauthorized, "not authorized on %s to execute command %s", c.db, c.name)
}

// newUUID is a random (version 4) UUID.
func newUUID() bson.Binary {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return bson.Binary{Subtype: 4, Data: b}
}

// parseRoles reads a command's roles, which are names or {role, db}.
func parseRoles(c command) ([]role, error) {
	list, isArray := c.body.Lookup("roles").ArrayOK()
	values, err := list.Values()
	if err != nil || !isArray {
		return nil, fail(badValue, "\"roles\" is not an array of roles")
	}
	roles := []role{}
	for _, v := range values {
		r := role{DB: c.db}
		if name, isName := v.StringValueOK(); isName {
			r.Role = name
		} else if err := v.Unmarshal(&r); err != nil {
			return nil, fail(badValue, "role names must be either strings or objects")
		}
		if _, _, known := grantOf(r); !known {
			return nil, fail(roleNotFound, "Could not find role: %s@%s", r.Role, r.DB)
		}
		roles = append(roles, r)
	}
	return roles, nil
}
