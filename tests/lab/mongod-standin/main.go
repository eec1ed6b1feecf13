// Program mongod is a stand-in for MongoDB's server on machines without one:
// a replica-set member for tests, no database to keep anything in.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.mongodb.org/mongo-driver/v2/bson"
	"gopkg.in/yaml.v3"
)

type options struct {
	replSet, dbPath, keyFile string
	port, maxConns           int
	tls                      tlsOptions
	parameters               map[string]string
	ignored                  []string
}

// configKeys maps the keys of a YAML configuration file to flags.
var configKeys = map[string]string{
	"net.port": "port", "net.bindIp": "bind_ip", "net.bindIpAll": "bind_ip_all", "net.ipv6": "ipv6",
	"net.maxIncomingConnections": "maxConns", "storage.dbPath": "dbpath",
	"storage.wiredTiger.engineConfig.cacheSizeGB": "wiredTigerCacheSizeGB", "replication.replSetName": "replSet",
	"replication.oplogSizeMB": "oplogSize", "security.keyFile": "keyFile", "security.authorization": "auth",
	"net.tls.mode": "tlsMode", "net.tls.certificateKeyFile": "tlsCertificateKeyFile", "net.tls.CAFile": "tlsCAFile",
	"net.tls.allowConnectionsWithoutCertificates": "tlsAllowConnectionsWithoutCertificates",
}

// parseOptions reads flags as mongod takes them. Unknown ones are errors.
func parseOptions(args []string) (o options, err error) {
	o.parameters = map[string]string{}
	flags := flag.NewFlagSet("mongod", flag.ContinueOnError)
	flags.StringVar(&o.replSet, "replSet", "", "name of the replica set (required)")
	flags.StringVar(&o.dbPath, "dbpath", "/data/db", "data folder")
	flags.StringVar(&o.keyFile, "keyFile", "", "keyfile of the set; turns authentication on")
	flags.IntVar(&o.port, "port", 27017, "port to listen on")
	flags.IntVar(&o.maxConns, "maxConns", 65536, "client connections to accept at most")
	flags.StringVar(&o.tls.mode, "tlsMode", tlsDisabled, "disabled, allowTLS, preferTLS or requireTLS")
	flags.StringVar(&o.tls.certificateKeyFile, "tlsCertificateKeyFile", "", "PEM file with certificate and key")
	flags.StringVar(&o.tls.caFile, "tlsCAFile", "", "PEM file with certificate authorities")
	flags.BoolVar(&o.tls.allowWithoutCertificates, "tlsAllowConnectionsWithoutCertificates", false, "clients need no certificate")
	flags.Func("setParameter", "name=value, kept for getParameter and otherwise ignored", func(s string) error {
		name, value, found := strings.Cut(s, "=")
		if !found {
			return fmt.Errorf("%q is not name=value", s)
		}
		o.parameters[name] = value
		o.ignored = append(o.ignored, "setParameter "+name)
		return nil
	})
	ignore := func(name string) func(string) error {
		return func(string) error { o.ignored = append(o.ignored, name); return nil }
	}
	for _, name := range []string{"bind_ip", "wiredTigerCacheSizeGB", "oplogSize"} {
		flags.Func(name, "accepted and ignored", ignore(name))
	}
	for _, name := range []string{"bind_ip_all", "auth", "ipv6", "quiet", "directoryperdb"} {
		flags.BoolFunc(name, "accepted and ignored", ignore(name))
	}
	showVersion := flags.Bool("version", false, "print the version and exit")
	fromFile := func(path string) error { return readConfigFile(flags, path) }
	flags.Func("config", "YAML configuration file", fromFile)
	flags.Func("f", "same as -config", fromFile)
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if *showVersion {
		fmt.Printf("db version v%s (stand-in)\n%s\n", version, standInNote)
		os.Exit(0)
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.replSet == "" {
		return o, fmt.Errorf("--replSet NAME is required: this stand-in is a replica-set member or nothing")
	}
	return o, nil
}

func readConfigFile(flags *flag.FlagSet, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var tree map[string]any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return err
	}
	return setFromTree(flags, "", tree)
}

func setFromTree(flags *flag.FlagSet, prefix string, tree map[string]any) error {
	for key, value := range tree {
		name := prefix + key
		if parameter, found := strings.CutPrefix(name, "setParameter."); found {
			_ = flags.Set("setParameter", fmt.Sprintf("%s=%v", parameter, value))
		} else if below, isTree := value.(map[string]any); isTree {
			if err := setFromTree(flags, name+".", below); err != nil {
				return err
			}
		} else if option, known := configKeys[name]; !known {
			return fmt.Errorf("Unrecognized option: %s", name)
		} else if err := flags.Set(option, fmt.Sprint(value)); err != nil {
			return err
		}
	}
	return nil
}

// logLine prints one line in mongod's structured format.
func logLine(severity, component, message string, attributes ...any) {
	attr := map[string]any{}
	for i := 0; i+1 < len(attributes); i += 2 {
		attr[fmt.Sprint(attributes[i])] = attributes[i+1]
	}
	line, _ := json.Marshal(map[string]any{"t": map[string]string{"$date": time.Now().UTC().Format("2006-01-02T15:04:05.000+00:00")},
		"s": severity, "c": component, "msg": message, "attr": attr})
	fmt.Println(string(line))
}

func main() {
	o, err := parseOptions(os.Args[1:])
	if err == nil {
		err = run(o)
	}
	if err != nil {
		logLine("F", "CONTROL", "Cannot go on", "error", err.Error())
		fmt.Fprintln(os.Stderr, "mongod (stand-in):", err)
		os.Exit(1)
	}
}

// openMember prepares the data folder, which becomes the working directory.
func openMember(o options) (*member, error) {
	m := &member{options: o, keys: []string{"no keyfile"}, instance: bson.NewObjectID(), started: time.Now(), kicked: make(chan struct{}, 1), peers: map[string]peer{}}
	var err error
	if m.transport, err = newTransport(o.tls); err != nil {
		return nil, err
	}
	o.parameters["tlsMode"] = o.tls.mode
	if o.keyFile != "" {
		if m.keys, err = readKeyfile(o.keyFile); err != nil {
			return nil, err
		}
		salt := user{Name: "__system", DB: "local"}
		for i, key := range m.keys {
			u := salt
			if err := u.setPassword(key); err != nil {
				return nil, err
			}
			m.system = append(m.system, u)
			if i == 0 {
				salt.Salt = u.Salt
			}
		}
	}
	var dir string
	dir, err = filepath.Abs(o.dbPath)
	if err == nil {
		err = os.Chdir(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("Data directory %s not found: %w", o.dbPath, err)
	}
	store, err := raftboltdb.New(raftboltdb.Options{Path: "raft.db"})
	if err != nil {
		return nil, fmt.Errorf("cannot open raft.db in %s: %w", dir, err)
	}
	m.fsm = &stateMachine{onConfig: func(c *replConfig) { go m.install(c) }}
	m.logs = &commitLog{BoltStore: store, applied: &m.fsm.applied}
	m.snaps, err = raft.NewFileSnapshotStoreWithLogger(".", 1, hclog.NewNullLogger())
	if err != nil {
		return nil, err
	}
	if err := m.fsm.reset(); err != nil {
		return nil, err
	}
	return m, m.load()
}

func run(o options) error {
	logLine("I", "CONTROL", "Starting: "+standInNote, "version", version, "replSet", o.replSet, "port", o.port, "ignoredOptions", o.ignored)
	m, err := openMember(o)
	if err != nil {
		return err
	}
	m.server = &server{m: m, quit: make(chan struct{})}
	m.mu.Lock()
	m.settleRaft()
	m.mu.Unlock()
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", o.port))
	if err != nil {
		return err
	}
	go m.heartbeats()
	failed := make(chan error, 1)
	go func() { failed <- m.server.serve(listener) }()
	logLine("I", "NETWORK", "Waiting for connections", "port", o.port)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	select {
	case err := <-failed:
		return err
	case <-signals:
	case <-m.server.quit:
		time.Sleep(50 * time.Millisecond) // the reply leaves first
	}
	m.mu.Lock()
	handOver := m.state() == statePrimary && len(m.Config.Members) > 1
	m.stopping = true
	m.mu.Unlock()
	if handOver {
		m.handOver(time.Now().Add(2 * time.Second))
	}
	m.stopRaft()
	logLine("I", "CONTROL", "Exiting", "exitCode", 0)
	return nil
}
