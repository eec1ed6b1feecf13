// Members as plain processes on loopback ports with folders of their own.
package conformance

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	setName = "rs0"
	keyText = "c3RhbmQtaW4rY29uZm9ybWFuY2Uva2V5\nZm9yLXRlc3RzLW9ubHk="
)

// keyPassword is the password of __system: the keyfile without whitespace.
var keyPassword = strings.Join(strings.Fields(keyText), "")

var mongodPath string

var errStillSeen = errors.New("they still see each other")

func TestMain(m *testing.M) {
	if mongodPath = os.Getenv("MONGOD"); mongodPath == "" {
		dir, err := os.MkdirTemp("", "standin")
		if err != nil {
			panic(err)
		}
		mongodPath = filepath.Join(dir, "mongod")
		build := exec.Command("go", "build", "-C", "../mongod-standin", "-o", mongodPath, ".")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "cannot build the stand-in: %v\n%s", err, out)
			os.Exit(1)
		}
		code := runSuite(m)
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}
	os.Exit(runSuite(m))
}

func runSuite(m *testing.M) int {
	out, err := exec.Command(mongodPath, "--version").CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s --version: %v\n%s", mongodPath, err, out)
		return 1
	}
	first, _, _ := strings.Cut(string(out), "\n")
	fmt.Printf("mongod under test: %s\n", first)
	return m.Run()
}

// node is one member's process.
type node struct {
	t      *testing.T
	port   int
	dbpath string
	args   []string
	flags  []string            // further ones, which change between starts
	key    string              // path of its keyfile
	user   *options.Credential // of system, by a key that the keyfile holds
	secure *tls.Config         // of clients; plain connections without it
	cmd    *exec.Cmd
	exited chan struct{}
}

func (n *node) host() string { return "localhost:" + strconv.Itoa(n.port) }

// startNode starts a member that is not part of any set yet.
func startNode(t *testing.T, extra ...string) *node {
	t.Helper()
	n := newNode(t, extra...)
	n.start()
	return n
}

// newNode prepares a member that does not run yet.
func newNode(t *testing.T, extra ...string) *node {
	t.Helper()
	n := &node{t: t, port: freePort(t), dbpath: t.TempDir(), key: filepath.Join(t.TempDir(), "keyfile"), user: systemUser}
	n.writeKeyfile(keyText + "\n")
	n.args = append([]string{"--replSet", setName, "--bind_ip_all", "--port", strconv.Itoa(n.port), "--dbpath", n.dbpath,
		"--keyFile", n.key, "--wiredTigerCacheSizeGB", "0.25", "--setParameter", "enableLocalhostAuthBypass=0"}, extra...)
	t.Cleanup(func() {
		n.kill()
		if t.Failed() {
			log, _ := os.ReadFile(n.logPath())
			t.Logf("end of the log of %s:\n%s", n.host(), log[max(0, len(log)-3000):])
		}
	})
	return n
}

func (n *node) writeKeyfile(text string) {
	n.t.Helper()
	_ = os.Remove(n.key)
	if err := os.WriteFile(n.key, []byte(text), 0o400); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) logPath() string { return filepath.Clean(n.dbpath) + ".log" }

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// start runs the process and waits until it answers.
func (n *node) start() {
	n.t.Helper()
	log, err := os.OpenFile(n.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		n.t.Fatal(err)
	}
	defer log.Close()
	n.cmd = exec.Command(mongodPath, slices.Concat(n.args, n.flags)...)
	n.cmd.Stdout, n.cmd.Stderr = log, log
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) { _ = cmd.Wait(); close(exited) }(n.cmd, n.exited)
	anonymous := n.client(nil)
	n.t.Helper()
	eventually(n.t, "answer a ping", func() error {
		return anonymous.Database("admin").RunCommand(context.Background(), bson.D{{Key: "ping", Value: 1}}).Err()
	})
}

// kill ends the process as a crash would.
func (n *node) kill() {
	if n.cmd != nil && n.cmd.Process != nil {
		_ = n.cmd.Process.Kill()
		<-n.exited
	}
}

// terminate asks the process to stop and returns its exit code.
func (n *node) terminate() int {
	n.t.Helper()
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		n.t.Fatal(err)
	}
	select {
	case <-n.exited:
	case <-time.After(40 * time.Second):
		n.t.Fatal("the member did not stop within 40 s of SIGTERM")
	}
	return n.cmd.ProcessState.ExitCode()
}

func (n *node) empty() {
	n.t.Helper()
	if err := os.RemoveAll(n.dbpath); err != nil {
		n.t.Fatal(err)
	}
	if err := os.Mkdir(n.dbpath, 0o700); err != nil {
		n.t.Fatal(err)
	}
}

var systemUser = &options.Credential{AuthMechanism: "SCRAM-SHA-256", AuthSource: "local", Username: "__system", Password: keyPassword}

// client connects to this member alone.
func (n *node) client(who *options.Credential) *mongo.Client {
	return connectBy(n.t, fmt.Sprintf("mongodb://%s/?directConnection=true", n.host()), who, n.secure)
}

func connect(t *testing.T, uri string, who *options.Credential) *mongo.Client {
	t.Helper()
	return connectBy(t, uri, who, nil)
}

func connectBy(t *testing.T, uri string, who *options.Credential, secure *tls.Config) *mongo.Client {
	t.Helper()
	o := options.Client().ApplyURI(uri).SetServerSelectionTimeout(8 * time.Second).SetTimeout(40 * time.Second)
	if who != nil {
		o.SetAuth(*who)
	}
	if secure != nil {
		o.SetTLSConfig(secure)
	}
	c, err := mongo.Connect(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = c.Disconnect(ctx)
	})
	return c
}

// setURI is what an application gets.
func setURI(nodes []*node, parameters url.Values) string {
	hosts := make([]string, len(nodes))
	for i, n := range nodes {
		hosts[i] = n.host()
	}
	parameters.Set("replicaSet", setName)
	parameters.Set("w", "majority")
	parameters.Set("retryWrites", "true")
	return "mongodb://" + strings.Join(hosts, ",") + "/?" + parameters.Encode()
}

// system runs a command on this member as the keyfile's user.
func (n *node) system(command bson.D) (bson.M, error) {
	c := n.client(n.user)
	defer func() { _ = c.Disconnect(context.Background()) }()
	return adminCommand(c, command)
}

func adminCommand(c *mongo.Client, command bson.D) (bson.M, error) {
	return runCommand(c, "admin", command)
}

func runCommand(c *mongo.Client, db string, command bson.D) (bson.M, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var reply bson.M
	err := c.Database(db).RunCommand(ctx, command).Decode(&reply)
	return reply, err
}

// must runs a command on this member as the keyfile's user; it has to succeed.
func (n *node) must(command bson.D) bson.M {
	n.t.Helper()
	reply, err := n.system(command)
	if err != nil {
		n.t.Fatalf("%s on %s: %v", command[0].Key, n.host(), err)
	}
	return reply
}

// code is the server's error code in err, or 0.
func code(err error) int32 {
	var ce mongo.CommandError
	if errors.As(err, &ce) {
		return ce.Code
	}
	return 0
}

func wantCode(t *testing.T, err error, codes ...int32) {
	t.Helper()
	for _, c := range codes {
		if err != nil && code(err) == c {
			return
		}
	}
	t.Fatalf("got error %v (code %d), want code %v", err, code(err), codes)
}

// eventually retries what for up to 45 s: no test here measures time.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(45 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatalf("did not %s: %v", what, err)
}
