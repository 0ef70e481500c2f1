// Package mailtest gives tests mail servers to talk to: one that misbehaves as
// a script says, byte for byte, and a real Postfix where it is installed.
package mailtest

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Authority is a certificate authority of the test's own.
type Authority struct {
	Pool *x509.CertPool
	PEM  []byte
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Root returns the authority's own certificate.
func (a *Authority) Root() *x509.Certificate { return a.cert }

// NewAuthority makes one.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{Pool: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test authority"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.key = newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.Pool.AddCert(a.cert)
	a.PEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Certificate returns one for a host name or address, and more names, valid for
// the given time from an hour ago: a negative one has expired.
func (a *Authority) Certificate(t testing.TB, host string, valid time.Duration, more ...string) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, NotBefore: time.Now().Add(-24 * time.Hour),
		NotAfter: time.Now().Add(valid), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = append([]string{host}, more...)
	}
	return a.sign(t, template, newKey(t))
}

// RSACertificate returns one with an RSA key, as servers have that know no other
// key exchange.
func (a *Authority) RSACertificate(t testing.TB, host string, valid time.Duration) tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: host}, NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(valid),
		DNSNames: []string{host}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, key)
}

func (a *Authority) sign(t testing.TB, template *x509.Certificate, key crypto.Signer) tls.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// WritePEM writes the authority, and a certificate for host with its key, into
// files of dir for programs that read such.
func (a *Authority) WritePEM(t testing.TB, dir, host string) (ca, cert, key string) {
	t.Helper()
	c := a.Certificate(t, host, time.Hour)
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	ca, cert, key = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, body := range map[string][]byte{
		ca:   a.PEM,
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	} {
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return ca, cert, key
}

// Conn is a client's connection as a script sees it. Its methods end the script
// when the client is gone.
type Conn struct {
	net.Conn
	r *bufio.Reader
	s *Server
}

type gone struct{}

// Send writes text as it is.
func (c *Conn) Send(text string) {
	if _, err := c.Write([]byte(text)); err != nil {
		panic(gone{})
	}
}

// Line sends lines, each ended by CRLF.
func (c *Conn) Line(lines ...string) { c.Send(strings.Join(lines, "\r\n") + "\r\n") }

// Read returns the client's next line without its end, and remembers it.
func (c *Conn) Read() string {
	line, err := c.r.ReadString('\n')
	if err != nil {
		panic(gone{})
	}
	line = strings.TrimRight(line, "\r\n")
	c.s.mu.Lock()
	c.s.heard = append(c.s.heard, line)
	c.s.mu.Unlock()
	return line
}

// Last returns the line that Read returned last, on this connection or another.
func (c *Conn) Last() string {
	heard := c.s.Heard()
	if len(heard) == 0 {
		return ""
	}
	return heard[len(heard)-1]
}

// Body reads a message up to the final dot and keeps it, dots unstuffed.
func (c *Conn) Body() {
	var b strings.Builder
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			panic(gone{})
		}
		if line == ".\r\n" {
			break
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
	c.s.mu.Lock()
	c.s.messages = append(c.s.messages, b.String())
	c.s.mu.Unlock()
}

// StartTLS turns the connection into a TLS one.
func (c *Conn) StartTLS(cert tls.Certificate) {
	c.StartTLSAs(&tls.Config{Certificates: []tls.Certificate{cert}})
}

// StartTLSAs does so in the way that config says.
func (c *Conn) StartTLSAs(config *tls.Config) {
	conn := tls.Server(c.Conn, config)
	if err := conn.Handshake(); err != nil {
		panic(gone{})
	}
	c.Conn, c.r = conn, bufio.NewReader(conn)
}

// Wait blocks until the client goes away.
func (c *Conn) Wait() {
	buf := make([]byte, 1)
	for {
		if _, err := c.Conn.Read(buf); err != nil {
			panic(gone{})
		}
	}
}

// Server is a mail server that does what its script does.
type Server struct {
	Host string
	Port int

	mu       sync.Mutex
	heard    []string
	messages []string
	sessions int
}

// Serve runs script for each connection until the test ends.
func Serve(t testing.TB, script func(c *Conn)) *Server {
	t.Helper()
	return ServeOn(t, "127.0.0.1:0", script)
}

// ServeOn does so on an address of this machine.
func ServeOn(t testing.TB, address string, script func(c *Conn)) *Server {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().(*net.TCPAddr)
	s := &Server{Host: at.IP.String(), Port: at.Port}
	var open sync.Map
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.sessions++
			s.mu.Unlock()
			open.Store(conn, nil)
			running.Go(func() {
				defer conn.Close()
				defer func() {
					if p := recover(); p != nil && p != (gone{}) {
						panic(p)
					}
				}()
				script(&Conn{Conn: conn, r: bufio.NewReader(conn), s: s})
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		open.Range(func(conn, _ any) bool { conn.(net.Conn).Close(); return true })
		running.Wait()
	})
	return s
}

// Heard returns every line clients have sent outside message bodies.
func (s *Server) Heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.heard...)
}

// Messages returns the bodies that were taken in.
func (s *Server) Messages() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.messages...)
}

// Sessions returns how many connections there were.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions
}

// AcceptTLS is a script of a server that takes everything, and offers STARTTLS
// with that certificate.
func AcceptTLS(cert tls.Certificate) func(*Conn) {
	return func(c *Conn) {
		c.Line("220 mail.test ESMTP")
		for encrypted := false; ; {
			switch word, _, _ := strings.Cut(c.Read(), " "); strings.ToUpper(word) {
			case "EHLO":
				if encrypted {
					c.Line("250-mail.test", "250 SIZE 1000000")
				} else {
					c.Line("250-mail.test", "250-SIZE 1000000", "250 STARTTLS")
				}
			case "STARTTLS":
				c.Line("220 go")
				c.StartTLS(cert)
				encrypted = true
			case "DATA":
				c.Line("354 go ahead")
				c.Body()
				c.Line("250 2.0.0 queued")
			case "QUIT":
				c.Line("221 bye")
				return
			default:
				c.Line("250 2.1.0 ok")
			}
		}
	}
}

// Accept is a script of a server that takes everything.
func Accept(c *Conn) {
	c.Line("220 mail.test ESMTP")
	for {
		switch word, _, _ := strings.Cut(c.Read(), " "); strings.ToUpper(word) {
		case "EHLO":
			c.Line("250-mail.test", "250-SIZE 1000000", "250 8BITMIME")
		case "DATA":
			c.Line("354 go ahead")
			c.Body()
			c.Line("250 2.0.0 queued")
		case "QUIT":
			c.Line("221 bye")
			return
		default:
			c.Line("250 2.1.0 ok")
		}
	}
}
