// TLS beside plain connections, and the way from one to the other.
package conformance

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// authority is a certificate authority made for one test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	var der []byte
	der, a.key = a.sign(template, template, nil)
	a.cert, _ = x509.ParseCertificate(der)
	a.write("ca.pem", block("CERTIFICATE", der))
	return a
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func (a *authority) sign(template, parent *x509.Certificate, by *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		a.t.Fatal(err)
	}
	return der, key
}

func (a *authority) write(name string, content []byte) string {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, content, 0o400); err != nil {
		a.t.Fatal(err)
	}
	return path
}

// member makes the one file with certificate and key that mongod reads.
func (a *authority) member() string {
	a.t.Helper()
	der, key := a.sign(&x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "member"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}, a.cert, a.key)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.write("member.pem", bytes.Join([][]byte{block("CERTIFICATE", der), block("PRIVATE KEY", keyDER)}, nil))
}

// clients trust the authority and bring no certificate of their own.
func (a *authority) clients() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

func (a *authority) flags(mode, member string) []string {
	return []string{"--tlsMode", mode, "--tlsCertificateKeyFile", member, "--tlsCAFile", filepath.Join(a.dir, "ca.pem"), "--tlsAllowConnectionsWithoutCertificates"}
}

// takes says whether the member answers over this kind of connection.
func takes(n *node, secure *tls.Config) bool {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	c := connectBy(n.t, "mongodb://"+n.host()+"/?directConnection=true", nil, secure)
	return c.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Err() == nil
}

func TestModesTakePlainAndEncryptedConnections(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	member := a.member()
	for _, mode := range []struct {
		name             string
		plain, encrypted bool
	}{{"disabled", true, false}, {"allowTLS", true, true}, {"preferTLS", true, true}, {"requireTLS", false, true}} {
		n := newNode(t)
		if mode.name != "disabled" {
			n.flags = a.flags(mode.name, member)
		}
		if !mode.plain {
			n.secure = a.clients()
		}
		n.start()
		if plain, encrypted := takes(n, nil), takes(n, a.clients()); plain != mode.plain || encrypted != mode.encrypted {
			t.Errorf("%s: plain %v, encrypted %v", mode.name, plain, encrypted)
		}
		n.kill()
	}
}

func TestTheKeyfilesUserLogsInOverTLS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	n := newNode(t)
	n.flags, n.secure = a.flags("requireTLS", a.member()), a.clients()
	n.start()
	n.must(initiate(setConfig(entry(0, n, 1))))
	waitFor(t, n, "PRIMARY")
	mode := n.must(bson.D{{Key: "getParameter", Value: 1}, {Key: "tlsMode", Value: 1}})["tlsMode"]
	if mode != "requireTLS" {
		t.Fatalf("tlsMode is %v", mode)
	}
}

func TestAClientOfAnotherAuthorityIsNotServed(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	n := newNode(t)
	n.flags, n.secure = a.flags("requireTLS", a.member()), a.clients()
	n.start()
	if takes(n, newAuthority(t).clients()) {
		t.Fatal("a client that does not trust the authority was served")
	}
}

// Without the flag a certificate authority means that clients must bring one.
func TestClientsWithoutACertificateAreRefusedUnlessAllowed(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	n := newNode(t)
	n.flags = a.flags("preferTLS", a.member())[:6]
	n.start()
	if takes(n, a.clients()) {
		t.Fatal("a client without a certificate was served")
	}
}

func TestTLSWithoutACertificatePreventsTheStart(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	out, err := exec.Command(mongodPath, append(n.args, "--tlsMode", "requireTLS")...).CombinedOutput()
	if exit, isExit := err.(*exec.ExitError); !isExit || exit.ExitCode() < 1 {
		t.Fatalf("%v: %s", err, out)
	}
}

// Each step restarts one member; members of neighbouring modes are together
// in the set all the time.
func TestMembersSeeEachOtherOnTheWayToTLSAndBack(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	member := a.member()
	nodes := startSet(t, 3)
	for _, mode := range []string{"allowTLS", "preferTLS", "requireTLS", "preferTLS", "allowTLS", "disabled"} {
		for _, n := range nodes {
			n.terminate()
			n.flags, n.secure = a.flags(mode, member), a.clients()
			if mode == "disabled" {
				n.flags, n.secure = nil, nil
			}
			n.start()
			waitWhole(t, nodes)
		}
	}
	insertOrder(t, application(t, nodes), 1)
}

// A member that still speaks plainly cannot reach one that takes TLS alone:
// why no step may be left out.
func TestMembersOfDistantModesDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	nodes := startSet(t, 2)
	nodes[1].terminate()
	nodes[1].flags, nodes[1].secure = a.flags("requireTLS", a.member()), a.clients()
	nodes[1].start()
	eventually(t, "lose sight of each other", func() error {
		seen, err := states(nodes[0])
		if err == nil && (seen[nodes[1].host()] == "SECONDARY" || seen[nodes[1].host()] == "PRIMARY") {
			err = errStillSeen
		}
		return err
	})
}
