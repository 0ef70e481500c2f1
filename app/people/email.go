package people

import (
	"gatelodge/app/email"
	"gatelodge/store"
)

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
