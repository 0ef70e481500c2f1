package deliver

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"errors"

	"gatelodge/app/mail/resolve"
)

// errDANE means that no record fits the server's certificate.
var errDANE = errors.New("the server's certificate is none of those that its domain names in DNS (DANE)")

// The uses of a record that mean something between mail servers (RFC 7672, 3.1).
const (
	trustAnchor = 2 // an authority in the server's chain
	endEntity   = 3 // the server's certificate or key itself
)

// usable returns the records that mean something.
func usable(records []resolve.TLSA) []resolve.TLSA {
	var list []resolve.TLSA
	for _, r := range records {
		if (r.Usage == trustAnchor || r.Usage == endEntity) && r.Selector <= 1 && whole(r) {
			list = append(list, r)
		}
	}
	return list
}

// whole reports whether a record holds a certificate, a key or a digest of the
// right length. No certificate fits any other (RFC 6698, 2.1.3).
func whole(r resolve.TLSA) bool {
	switch r.Matching {
	case 0:
		return len(r.Data) > 0
	case 1:
		return len(r.Data) == sha256.Size
	case 2:
		return len(r.Data) == sha512.Size
	}
	return false
}

// checkDANE accepts a chain that one of the records fits.
func checkDANE(s tls.ConnectionState, records []resolve.TLSA, names []string) error {
	for _, r := range records {
		switch r.Usage {
		case endEntity:
			// Neither names nor dates count: DNS says it all (RFC 7672, 3.1.1).
			if fits(r, s.PeerCertificates[0]) {
				return nil
			}
		case trustAnchor:
			for i, c := range s.PeerCertificates {
				if i > 0 && fits(r, c) && issuedUnder(s.PeerCertificates, c, names) {
					return nil
				}
			}
		}
	}
	return errDANE
}

// fits reports whether a record is of the certificate.
func fits(r resolve.TLSA, c *x509.Certificate) bool {
	what := c.Raw
	if r.Selector == 1 {
		what = c.RawSubjectPublicKeyInfo
	}
	switch r.Matching {
	case 1:
		sum := sha256.Sum256(what)
		what = sum[:]
	case 2:
		sum := sha512.Sum512(what)
		what = sum[:]
	}
	return bytes.Equal(what, r.Data)
}

// issuedUnder reports whether the chain is valid under that one authority for
// one of the names.
func issuedUnder(chain []*x509.Certificate, anchor *x509.Certificate, names []string) bool {
	o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool()}
	o.Roots.AddCert(anchor)
	for _, c := range chain[1:] {
		o.Intermediates.AddCert(c)
	}
	for _, o.DNSName = range names {
		if _, err := chain[0].Verify(o); err == nil {
			return true
		}
	}
	return false
}
