// TLS on the one port, as mongod has it: both kinds of connections are told
// apart by their first bytes, and the mode says which are taken and made.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"
)

const (
	tlsDisabled, tlsAllow = "disabled", "allowTLS"
	tlsPrefer, tlsRequire = "preferTLS", "requireTLS"
)

type tlsOptions struct {
	mode, certificateKeyFile, caFile string
	allowWithoutCertificates         bool
}

// transport takes and makes connections in the ways the mode allows.
type transport struct {
	mode    string
	ingress *tls.Config
	egress  *tls.Config
}

func newTransport(o tlsOptions) (*transport, error) {
	t := &transport{mode: o.mode}
	if !slices.Contains([]string{tlsDisabled, tlsAllow, tlsPrefer, tlsRequire}, o.mode) {
		return nil, fmt.Errorf("unsupported value for tlsMode %s", o.mode)
	}
	if o.mode == tlsDisabled {
		return t, nil
	}
	if o.certificateKeyFile == "" {
		return nil, errors.New("need tlsCertificateKeyFile or certificateSelector when TLS is enabled")
	}
	text, err := os.ReadFile(o.certificateKeyFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read certificate file: %w", err)
	}
	certificate, err := tls.X509KeyPair(text, text)
	if err != nil {
		return nil, fmt.Errorf("cannot use the key and certificate in %s: %w", o.certificateKeyFile, err)
	}
	t.ingress = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	t.egress = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	if o.caFile == "" {
		return t, nil
	}
	authorities := x509.NewCertPool()
	if text, err = os.ReadFile(o.caFile); err != nil || !authorities.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("cannot read certificate authority file %s: %v", o.caFile, err)
	}
	t.ingress.ClientCAs, t.egress.RootCAs = authorities, authorities
	t.ingress.ClientAuth = tls.RequireAndVerifyClientCert
	if o.allowWithoutCertificates {
		t.ingress.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return t, nil
}

// accept looks at the first bytes of a new connection.
func (t *transport) accept(conn net.Conn) (net.Conn, *bufio.Reader, error) {
	r := bufio.NewReaderSize(conn, 64<<10)
	first, err := r.Peek(16)
	if err != nil {
		return nil, nil, err
	}
	switch encrypted := isHandshake(first); {
	case encrypted && t.mode == tlsDisabled:
		return nil, nil, errors.New("SSL handshake received but server is started without SSL support")
	case !encrypted && t.mode == tlsRequire:
		return nil, nil, errors.New("The server is configured to only allow SSL connections")
	case !encrypted:
		return conn, r, nil
	}
	inner := tls.Server(bufferedConn{conn, r}, t.ingress)
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if err := inner.Handshake(); err != nil {
		return nil, nil, fmt.Errorf("SSL peer certificate validation failed: %w", err)
	}
	_ = conn.SetDeadline(time.Time{})
	return inner, bufio.NewReaderSize(inner, 64<<10), nil
}

// isHandshake tells a TLS record from a message of 22 bytes and some: those
// carry one of two opcodes where the record has part of its random number.
func isHandshake(first []byte) bool {
	op := binary.LittleEndian.Uint32(first[12:])
	return first[0] == 0x16 && first[1] == 0x03 && op != opMsg && op != opQuery
}

// dial connects to another member.
func (t *transport) dial(host string, timeout time.Duration) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: timeout}
	if t.mode != tlsPrefer && t.mode != tlsRequire {
		return dialer.Dial("tcp", host)
	}
	return tls.DialWithDialer(dialer, "tcp", host, t.egress)
}
