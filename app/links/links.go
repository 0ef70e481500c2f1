// Package links holds the paths of pages that mails and redirects lead to, and decides
// which paths are safe to redirect to. Package web serves the pages; a test there opens
// each of these paths.
package links

import (
	"net/url"
	"strings"
)

// The pages.
const (
	Home        = "/"
	SignIn      = "/signin"
	Account     = "/account"
	Welcome     = "/account?welcome" // the account page, as new users see it first
	Emails      = "/account/emails"
	NewPassword = "/account/password"
	AdminPeople = "/admin/people"
	Inbox       = "/dev/mail" // captured mail
	MailAPI     = "/api/mail/send"
)

// SetUp returns the page that makes the first admin, with its code filled in.
func SetUp(code string) string { return "/setup?code=" + url.QueryEscape(code) }

// SignInLink returns the page of a mailed sign-in link.
func SignInLink(token string) string { return "/signin/link/" + token }

// Invite returns the page of an invitation.
func Invite(token string) string { return "/invite/" + token }

// Mailed returns the page of any other mailed link: a password reset, the confirmation
// of an address, the undoing of a change.
func Mailed(token string) string { return "/mailed/" + token }

// Callback returns the path to which a provider sends browsers back.
func Callback(provider string) string { return "/api/auth/callback/" + provider }

// Local returns p if it is a path on this server, and "/" for anything that a browser
// could take for another place. The result begins with exactly one slash and is safe in
// a Location header.
func Local(p string) string {
	if len(p) > 2000 || !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") {
		return Home
	}
	for _, r := range p {
		if r <= ' ' || r == '\\' || r >= 0x7f {
			return Home
		}
	}
	u, err := url.Parse(p)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || u.Opaque != "" || strings.HasPrefix(u.Path, "//") ||
		strings.ContainsAny(u.Path, "\\\r\n\x00") {
		return Home
	}
	return (&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}).String()
}
