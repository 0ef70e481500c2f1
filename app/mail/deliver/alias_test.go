package deliver_test

import (
	"crypto/sha256"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"gatelodge/app/mail/deliver"
	"gatelodge/app/mail/mailtest"
)

// RFC 7672, 2.2.2: the name of a mail server leads by a CNAME into a zone without
// DNSSEC, and its records stand in its own zone, which is signed.
func TestDANEOfAnAliasIntoAnUnsignedZone(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(w *world, right, wrong []byte)
		class  deliver.Class
		level  string
	}{
		"its key":           {func(w *world, right, _ []byte) { w.TLSA("mx.else.example", w.port, 3, 1, 1, right) }, deliver.Sent, "TLS 1.3, DANE"},
		"another key":       {func(w *world, _, wrong []byte) { w.TLSA("mx.else.example", w.port, 3, 1, 1, wrong) }, deliver.Temporary, ""},
		"no records":        {func(*world, []byte, []byte) {}, deliver.Sent, "TLS 1.3, verified"},
		"records unsigned":  {func(w *world, _, wrong []byte) { w.TLSA("host.cloud.example", w.port, 3, 1, 1, wrong) }, deliver.Sent, "TLS 1.3, verified"},
		"the alias forged?": {func(w *world, _, _ []byte) { w.FailType("mx.else.example", dnsmessage.TypeCNAME) }, deliver.Temporary, ""},
		"an alias unsigned": {func(w *world, _, wrong []byte) {
			w.TLSA("mx.else.example", w.port, 3, 1, 1, wrong)
			w.Unsigned("mx.else.example")
		}, deliver.Sent, "TLS 1.3, verified"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Secure()
			w.MX("else.example", 10, "mx.else.example")
			cert := w.ca.Certificate(t, "mx.else.example", time.Hour)
			s := w.server("host.cloud.example", "127.0.0.2", mailtest.AcceptTLS(cert))
			w.CNAME("mx.else.example", "host.cloud.example")
			w.Unsigned("host.cloud.example")
			leaf, err := x509.ParseCertificate(cert.Certificate[0])
			if err != nil {
				t.Fatal(err)
			}
			right, wrong := sha256.Sum256(leaf.RawSubjectPublicKeyInfo), make([]byte, sha256.Size)
			tt.change(w, right[:], wrong)
			r := w.deliver()
			if r.Class != tt.class || r.Class == deliver.Sent && r.TLS != tt.level {
				t.Errorf("got class %d %q at %s: %s, want class %d %q", r.Class, r.TLS, r.Stage, r.Text, tt.class, tt.level)
			}
			if tt.class != deliver.Sent && strings.Contains(strings.Join(s.Heard(), "\n"), "MAIL") {
				t.Errorf("it went on: %v", s.Heard())
			}
		})
	}
}
