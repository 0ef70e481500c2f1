package deliver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"gatelodge/app/mail/mtasts"
	"gatelodge/app/mail/resolve"
)

// tlsaWithin is how long the records of DANE may take to be found: some resolvers
// drop questions for them, and other servers of the domain may have none.
const tlsaWithin = 2 * time.Second

// demand is how a connection to a server has to be protected.
type demand struct {
	policy string // as RFC 8460 names it
	must   bool   // never in clear
	reason string // why it must
	pkix   bool   // the certificate must be the server's, by an authority we trust
	dane   []resolve.TLSA
	base   string   // the name that these are of
	names  []string // that a certificate under DANE may bear
	clear  bool     // TLS was tried and failed
}

// demand finds out what a server's domain demands of a connection. It returns a
// result when this server must not be used at all.
func (d *Direct) demand(ctx context.Context, e *errand, s server) (demand, *Result) {
	records, base, refused := d.tlsa(ctx, e, s)
	if refused != nil {
		return demand{}, refused
	}
	want := demand{policy: "no-policy-found"}
	if len(records) > 0 {
		want = demand{policy: "tlsa", must: true, reason: "DANE demands it", dane: usable(records), base: base, names: []string{s.name, e.domain}}
		if s.secure {
			want.names = append(want.names, s.target)
		}
	}
	if len(want.dane) > 0 {
		return want, nil
	}
	// Of records that mean nothing is left that there must be TLS (RFC 7672, 2.2).
	// What a policy demands besides holds.
	if e.sts.Mode == mtasts.Enforce || e.sts.Mode == mtasts.Testing {
		want.policy = "sts"
	}
	named := want.policy != "sts" || e.sts.Allows(s.name)
	if !named {
		d.Memory.count(ctx, e.domain, "sts", s.name, "validation-failure")
	}
	switch {
	case e.sts.Mode == mtasts.Enforce && !named:
		return demand{}, &Result{
			Class: Temporary, Stage: AtTLS, Enhanced: "4.7.5", Text: "the MTA-STS policy of " + e.domain + " does not name the server " + s.name,
		}
	case e.sts.Mode == mtasts.Enforce:
		want.must, want.pkix, want.reason = true, true, "the domain's MTA-STS policy demands it"
	case want.must: // DANE does
	case e.SignIn && d.SignInNeedsTLS:
		want.must, want.reason = true, "mail.require_tls_for_signin demands it"
	case e.ratchet:
		want.must, want.reason = true, "the domain has spoken TLS before; if it no longer does on purpose: gatelodge mail domain -forget "+e.domain
	}
	return want, nil
}

// tlsa returns the records of DANE for a server that DNSSEC vouches for. When
// they may exist and cannot be had, the server must not be used: that is what an
// attacker would do (RFC 7672, 2.1).
func (d *Direct) tlsa(ctx context.Context, e *errand, s server) (records []resolve.TLSA, base string, refused *Result) {
	if !s.secure && !s.aliased || d.NoDANE {
		return nil, "", nil
	}
	limited, cancel := context.WithTimeout(ctx, tlsaWithin)
	defer cancel()
	unknown := func(err error) *Result {
		d.Memory.count(ctx, e.domain, "tlsa", s.name, "dnssec-invalid")
		return &Result{
			Class: Temporary, Stage: AtTLS, Enhanced: "4.7.5", Text: "what certificate " + s.name + " must have could not be found out: " + err.Error(), Err: err,
		}
	}
	names := []string{s.target, s.name}
	switch {
	case s.aliased:
		// The name points into a zone without DNSSEC. Its own zone may be signed, and
		// then its records count (RFC 7672, 2.2.2).
		alias, err := d.Resolver.Lookup(limited, s.name, dnsmessage.TypeCNAME)
		if err != nil {
			return nil, "", unknown(err)
		}
		if !alias.Secure {
			return nil, "", nil
		}
		names = names[1:]
	case s.target == s.name:
		names = names[1:]
	}
	for _, name := range names {
		records, secure, err := d.Resolver.TLSA(limited, name, d.Port)
		if err != nil && !errors.Is(err, resolve.ErrNoName) {
			return nil, "", unknown(err)
		}
		if secure && len(records) > 0 {
			e.note("%s has %d TLSA records (DANE)", name, len(records))
			return records, name, nil
		}
	}
	return nil, "", nil
}

// config returns how to shake hands, and a function that says how well that
// protects.
func (want demand) config(host string, roots *x509.CertPool) (*tls.Config, func(tls.ConnectionState) string) {
	config := &tls.Config{ServerName: host, RootCAs: roots, MinVersion: tls.VersionTLS12}
	if want.pkix {
		return config, func(tls.ConnectionState) string { return byPolicy }
	}
	// Without a demand any certificate is better than none: who could forge it
	// could have stripped STARTTLS as well (RFC 7435). Under DANE the records
	// decide, not the authorities.
	config.InsecureSkipVerify = true
	if len(want.dane) == 0 {
		// And any encryption is better than none (RFC 7435, 3): what old servers speak,
		// behind all that is better. Go has no DHE, and RC4 is as good as none.
		config.MinVersion, config.CipherSuites = tls.VersionTLS10, everyCipher
	}
	if len(want.dane) > 0 {
		config.ServerName = want.base // RFC 7672, 8.1
		config.VerifyConnection = func(s tls.ConnectionState) error { return checkDANE(s, want.dane, want.names) }
		return config, func(tls.ConnectionState) string { return byDANE }
	}
	return config, func(s tls.ConnectionState) string {
		if checkPKIX(s, host, roots) != nil {
			return unverified
		}
		return verified
	}
}

// everyCipher is all that crypto/tls can speak but RC4: RSA key exchange and 3DES
// too, which it leaves out by itself. It chooses the best that both know.
var everyCipher = func() (list []uint16) {
	for _, c := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if !strings.Contains(c.Name, "RC4") {
			list = append(list, c.ID)
		}
	}
	return list
}()

// checkPKIX verifies a certificate as a handshake would have.
func checkPKIX(s tls.ConnectionState, host string, roots *x509.CertPool) error {
	o := x509.VerifyOptions{Roots: roots, DNSName: host, Intermediates: x509.NewCertPool()}
	for _, c := range s.PeerCertificates[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(o)
	return err
}

// outcome is the result to count for a handshake that went well: a policy that
// is being tested would have refused a certificate that is not verified.
func (want demand) outcome(level string) string {
	if want.policy == "sts" && strings.HasSuffix(level, unverified) {
		return "sts-webpki-invalid"
	}
	return ""
}

// tlsFailure names a failed handshake as RFC 8460, 4.3 does.
func tlsFailure(err error, want demand) string {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case len(want.dane) > 0 && errors.Is(err, errDANE):
		return "tlsa-invalid"
	case errors.As(err, &name):
		return "certificate-host-mismatch"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "certificate-expired"
	case errors.As(err, &unknown):
		return "certificate-not-trusted"
	}
	return "validation-failure"
}
