package account

import (
	"strings"

	"gatelodge/app/email"
	"gatelodge/store"
)

// The faults of a typed address.
var (
	ErrEmailEmpty     = email.ErrEmpty
	ErrEmailMalformed = email.ErrMalformed
)

// NormalEmail returns the form of an address by which it is compared. Mail goes to
// the address as its owner gave it, never to what a visitor typed.
func NormalEmail(typed string) (string, error) {
	a, err := email.Read(typed)
	return a.Norm, err
}

// NormalDomain returns a typed domain as IDNA A-labels in lower case, without a final
// dot, and whether it is one.
func NormalDomain(typed string) (string, bool) { return email.Domain(typed) }

// Domain returns the part of a normal address after its last @.
func Domain(norm string) string { return email.DomainOf(norm) }

// Mailbox returns the mailbox that a normal address leads to at most providers, for
// counting: the address without what follows a plus sign. At Gmail dots do not
// count either. It is no address to send to.
func Mailbox(norm string) string {
	domain := Domain(norm)
	local := strings.TrimSuffix(norm, "@"+domain)
	if at := strings.IndexByte(local, '+'); at > 0 {
		local = local[:at]
	}
	if domain == "gmail.com" || domain == "googlemail.com" {
		local, domain = strings.ReplaceAll(local, ".", ""), "gmail.com"
	}
	return local + "@" + domain
}

// MailAddress returns the address mail to the user goes to: the local part as
// its owner wrote it, for servers that mind its case, and the domain in ASCII. It
// is "" for a user without an address.
func MailAddress(u store.User) string {
	if !u.HasEmail() {
		return ""
	}
	return email.Address{Text: u.Email, Norm: u.EmailNorm}.Mailbox()
}

// MailAddressOf returns the address mail to one of a user's addresses goes to.
func MailAddressOf(e store.Email) string { return email.Address{Text: e.Email, Norm: e.Norm}.Mailbox() }
