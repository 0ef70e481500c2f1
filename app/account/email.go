package account

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"gatelodge/app/fault"
	"gatelodge/store"
)

// What a typed address can be told.
var (
	ErrEmailEmpty     = fault.New(fault.Invalid, "email.empty")
	ErrEmailMalformed = fault.New(fault.Invalid, "email.malformed")
)

// maxEmail is the longest address SMTP carries (RFC 5321, 4.5.3.1.3, less the
// angle brackets).
const maxEmail = 254

// NormalEmail returns the form of an address by which it is compared: NFC,
// lower case, the domain as IDNA A-labels. Mail goes to the address as its
// owner gave it, never to what a visitor typed, so two addresses that look
// alike but are not equal can never stand for one another.
func NormalEmail(typed string) (string, error) {
	typed = strings.TrimSpace(typed)
	if typed == "" {
		return "", ErrEmailEmpty
	}
	if len(typed) > maxEmail || !utf8.ValidString(typed) {
		return "", ErrEmailMalformed
	}
	local, domain, found := cutLast(norm.NFC.String(typed), "@")
	if !found || !localOK(local) {
		return "", ErrEmailMalformed
	}
	domain, ok := NormalDomain(domain)
	if !ok {
		return "", ErrEmailMalformed
	}
	address := norm.NFC.String(strings.ToLower(local)) + "@" + domain
	if len(address) > maxEmail {
		return "", ErrEmailMalformed
	}
	return address, nil
}

// NormalDomain returns a typed domain as IDNA A-labels in lower case, without a final
// dot, and whether it is one.
func NormalDomain(typed string) (string, bool) {
	domain, err := idna.Lookup.ToASCII(strings.TrimSuffix(strings.TrimSpace(typed), "."))
	if err != nil || !domainOK(domain) {
		return "", false
	}
	return strings.ToLower(domain), true
}

// Domain returns what follows the last @ of a normal address.
func Domain(email string) string {
	_, domain, _ := cutLast(email, "@")
	return domain
}

// MailAddress returns the address mail to the user goes to: the local part as
// its owner wrote it, for servers that mind its case, and the domain in ASCII. It
// is "" for a user without an address.
func MailAddress(u store.User) string {
	if !u.HasEmail() {
		return ""
	}
	return mailAddress(u.Email, u.EmailNorm)
}

// MailAddressOf returns the address mail to one of a user's addresses goes to.
func MailAddressOf(e store.Email) string { return mailAddress(e.Email, e.Norm) }

// Deliverable returns the address that mail goes to for one that somebody typed: its
// local part as it stands, for servers that mind its case, and the domain in ASCII.
func Deliverable(typed string) (string, error) {
	norm, err := NormalEmail(typed)
	if err != nil {
		return "", err
	}
	return mailAddress(strings.TrimSpace(typed), norm), nil
}

func mailAddress(typed, norm string) string {
	local, _, _ := cutLast(typed, "@")
	return local + "@" + Domain(norm)
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// localOK takes the dot-atoms of RFC 5322 and their Unicode kin (RFC 6531), not
// quoted strings: nobody has such an address, and they carry spaces and
// brackets into places that split on them.
func localOK(local string) bool {
	if local == "" || len(local) > 64 || strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return false
	}
	for _, r := range local {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("!#$%&'*+-/=?^_`{|}~.", r):
		case r >= 0x80 && unicode.ToLower(r) < 0x80:
			return false // İ: in lower case it would stand for another mailbox
		case r >= 0x80 && (unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r)):
		default:
			return false
		}
	}
	return true
}

// domainOK takes host names, with or without a dot: "localhost" and the names
// of a home network are real here.
func domainOK(domain string) bool {
	if domain == "" || len(domain) > 253 {
		return false
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}
