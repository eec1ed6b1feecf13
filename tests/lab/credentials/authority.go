// Package credentials makes the certificates, keys, tokens and kubeconfigs of
// one lab. They are made once per lab and live for ten years: a lab does not.
package credentials

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const lifetime = 10 * 365 * 24 * time.Hour

// Folder is where a lab's credentials lie.
type Folder string

// Path is the path of one file, such as "ca.crt".
func (f Folder) Path(name string) string { return filepath.Join(string(f), name) }

// Has says whether the file is there.
func (f Folder) Has(name string) bool {
	_, err := os.Stat(f.Path(name))
	return err == nil
}

// Subject says whom a certificate is for and where it may be served.
type Subject struct {
	User      string
	Groups    []string
	Addresses []string
	Names     []string
}

// Authority makes NAME.crt and NAME.key for a certificate authority.
func (f Folder) Authority(name string) error {
	if f.Has(name+".crt") && f.Has(name+".key") {
		return nil
	}
	key, err := f.Key(name)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: "eaiser-lab " + name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(lifetime),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature | x509.KeyUsageCRLSign,
	}
	return f.sign(name, template, template, key.Public(), key)
}

// Certificate makes NAME.crt and NAME.key, signed by the named authority.
func (f Folder) Certificate(authority, name string, subject Subject) error {
	if f.Has(name+".crt") && f.Has(name+".key") {
		return nil
	}
	parent, parentKey, err := f.load(authority)
	if err != nil {
		return err
	}
	key, err := f.Key(name)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: subject.User, Organization: subject.Groups},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		DNSNames:     subject.Names,
	}
	for _, address := range subject.Addresses {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(address))
	}
	return f.sign(name, template, parent, key.Public(), parentKey)
}

// Key makes NAME.key, a private key.
func (f Folder) Key(name string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	encoded, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, f.write(name+".key", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded}))
}

func (f Folder) sign(name string, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) error {
	encoded, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return fmt.Errorf("sign certificate %s: %w", name, err)
	}
	return f.write(name+".crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: encoded}))
}

func (f Folder) load(name string) (*x509.Certificate, crypto.Signer, error) {
	certificate, err := f.block(name + ".crt")
	if err != nil {
		return nil, nil, err
	}
	parsed, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, nil, err
	}
	key, err := f.block(name + ".key")
	if err != nil {
		return nil, nil, err
	}
	signer, err := x509.ParseECPrivateKey(key)
	return parsed, signer, err
}

func (f Folder) block(name string) ([]byte, error) {
	content, err := os.ReadFile(f.Path(name))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, fmt.Errorf("%s is not PEM; take the lab down and up again", f.Path(name))
	}
	return block.Bytes, nil
}

func (f Folder) write(name string, content []byte) error {
	if err := os.MkdirAll(string(f), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.WriteFile(f.Path(name), content, 0o600)
}

func serial() *big.Int {
	number, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		// The kernel's random source cannot fail on a machine that boots.
		panic(err)
	}
	return number
}
