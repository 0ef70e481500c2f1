package submission

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Certificate is what the listener proves its name with. It is read again when
// its file changes, so that a renewal needs no restart.
type Certificate struct {
	certFile, keyFile string

	mu     sync.Mutex
	loaded *tls.Certificate
	seen   time.Time // when the file was changed that was loaded
}

// selfMade is the file of a certificate of our own, in the data directory, with
// its key.
const selfMade = "submission.pem"

// OpenCertificate loads the certificate from its files, or, when none are named,
// the one of our own in dir, which is made when it is not there. Apps can be configured
// to trust that file.
func OpenCertificate(certFile, keyFile, dir, host string, now time.Time) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile}
	if certFile == "" {
		path := filepath.Join(dir, selfMade)
		c.certFile, c.keyFile = path, path
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			if err := makeCertificate(path, host, now); err != nil {
				return nil, fmt.Errorf("making a certificate for mail submission: %w", err)
			}
		}
	}
	if _, err := c.get(nil); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}

func (c *Certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	info, err := os.Stat(c.certFile)
	if err == nil && c.loaded != nil && info.ModTime().Equal(c.seen) {
		return c.loaded, nil
	}
	var fresh tls.Certificate
	if err == nil {
		fresh, err = tls.LoadX509KeyPair(c.certFile, c.keyFile)
	}
	if err != nil {
		// Half a renewal: the key follows in a moment.
		if c.loaded != nil {
			return c.loaded, nil
		}
		return nil, fmt.Errorf("mail.submission: the certificate cannot be used: %w", err)
	}
	c.loaded, c.seen = &fresh, info.ModTime()
	return c.loaded, nil
}

// makeCertificate writes a key and a certificate that it signs itself, for ten
// years, readable by nobody else.
func makeCertificate(path, host string, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	template := x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: host}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
		DNSNames: []string{host}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	// The name may be an address in the form of RFC 5321, 4.1.3.
	literal := strings.TrimPrefix(strings.Trim(host, "[]"), "IPv6:")
	if ip := net.ParseIP(literal); ip != nil {
		template.DNSNames, template.IPAddresses = nil, append(template.IPAddresses, ip)
	}
	if host != "localhost" {
		template.DNSNames = append(template.DNSNames, "localhost")
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	part := path + ".part"
	if err := os.WriteFile(part, text, 0o600); err != nil {
		return err
	}
	return os.Rename(part, path)
}
