// Package login is one attempt to sign in, from the first page to a session.
//
// An attempt knows where to return to, what has been proven so far and by
// that what is still needed. Every means of signing in is a proof that is added
// to it; when the proofs are enough, a session starts in the same transaction
// that spent the last of them. The attempt itself lives in a sealed cookie of
// the browser and names, but never holds, what can be spent only once.
package login

import (
	"slices"
	"time"

	"gatelodge/app/email"
	"gatelodge/app/factor"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// Lifetime is how long an attempt may take.
const Lifetime = 15 * time.Minute

// Login is one attempt. The zero value has not begun.
type Login struct {
	// Browser is a token only this browser has. Challenges keep its hash, so
	// that a code works nowhere else and a link works here at once.
	Browser string `json:"b,omitempty"`
	// Return is the local path to go to in the end.
	Return string `json:"r,omitempty"`
	// Identifier is what was typed to name the account: an address or a username.
	Identifier string `json:"i,omitempty"`
	// Email is the normal form of the address that was typed.
	Email string `json:"e,omitempty"`
	// Challenge is the id of the one that was mailed last.
	Challenge string  `json:"c,omitempty"`
	Proofs    []Proof `json:"p,omitempty"`
	// AppLogin is the App this attempt opens and nothing else, or nil.
	AppLogin *AppLogin `json:"a,omitempty"`
	// PendingIdentity stands for a person an upstream has vouched for, who has yet to prove
	// an account here that it can be connected to.
	PendingIdentity string `json:"h,omitempty"`
	// Confirms is the id of the session whose owner proves themselves again.
	Confirms string `json:"k,omitempty"`
	// For is the App that the session which is confirmed is to enter, or "".
	For string `json:"x,omitempty"`
	// Claimed says that the account was claimed by a proof of this attempt; see
	// account.Users.Claim. The person is notified once signed in.
	Claimed bool `json:"l,omitempty"`
	// Joining is what a person entered to create an account, or nil.
	Joining *Joining `json:"j,omitempty"`
	// Approval is what an applicant sees, or nil.
	Approval *PendingApproval `json:"q,omitempty"`
	// Sent are the mails that this browser has asked for, the newest last.
	Sent []Sent `json:"t,omitempty"`
	// Ephemeral means that the computer is one that others use too: the session ends
	// with the browser, which does not remember the user.
	Ephemeral bool `json:"s,omitempty"`
	// Device is a token by which users know this browser again. It has a cookie
	// of its own that outlives attempts and sessions.
	Device string `json:"-"`
}

// AppLogin is an attempt that began at an App's own address. What it proves starts
// a session that the App alone has a share of: our own cookie is not set, so that
// no App gets hold of more than itself.
type AppLogin struct {
	App string `json:"a"`
	// Browser is the hash of what the browser holds at the App's address.
	Browser []byte `json:"b"`
	// Origin is the App's own, where the attempt began.
	Origin string `json:"o,omitempty"`
	// Link is the App's own address for mailed links, to which the token is added.
	Link string `json:"l,omitempty"`
	// Here means that the answer is given at the App's own address.
	Here bool `json:"-"`
}

// Proof is one thing the person has shown.
type Proof struct {
	Means  factor.Means `json:"m"`
	UserID string       `json:"u"`
	At     time.Time    `json:"t"`
	// AuthAt is when the person proved it: now, or what a provider says. Zero where that
	// is not known.
	AuthAt time.Time `json:"f,omitzero"`
}

// Begin gives the attempt its browser token unless it has one.
func (l *Login) Begin() {
	if l.Browser == "" {
		l.Browser = secret.Token()
	}
}

// app returns the App that the attempt is for alone, or "".
func (l *Login) app() string {
	if l.AppLogin == nil {
		return ""
	}
	return l.AppLogin.App
}

// Name takes what names the account, for a password that is asked for next.
func (l *Login) Name(typed string) error {
	typed = email.Visible(typed)
	if a, err := email.Read(typed); err == nil {
		typed = a.Text
	}
	if typed == "" || len(typed) > maxIdentifier {
		return ErrIdentifier.In("identifier")
	}
	l.Begin()
	l.Identifier = typed
	return nil
}

// maxIdentifier is more than the longest address.
const maxIdentifier = 320

// BrowserHash returns what the store keeps of the browser at our own address, or
// nil before Begin.
func (l *Login) BrowserHash() []byte {
	hash, ok := secret.Hash(l.Browser)
	if !ok {
		return nil
	}
	return hash
}

// deviceHash returns by what the user knows this browser; ok is false for one that
// has no token yet. One that was given out at an App's own address is known there
// alone: the App could read it.
func (l *Login) deviceHash() (hash []byte, ok bool) { return l.hashOf(l.Device) }

func (l *Login) hashOf(device string) (hash []byte, ok bool) {
	hash, ok = secret.Hash(device)
	if ok && l.AppLogin != nil && l.AppLogin.Here {
		hash = secret.MAC(hash, "device", l.AppLogin.App)
	}
	return hash, ok
}

// browserHash returns what challenges keep of the browser; nil before Begin.
func (l *Login) browserHash() []byte {
	if l.AppLogin != nil {
		return l.AppLogin.Browser
	}
	return l.BrowserHash()
}

// asked reports whether c was asked for by this browser.
func (l *Login) asked(c store.Challenge) bool {
	hash := l.browserHash()
	return hash != nil && secret.Equal(hash, c.BrowserHash)
}

// addProof adds a proof. Proofs of another user are dropped: they never add up.
func (l *Login) addProof(p Proof) {
	var kept []Proof // a slice of its own: the transaction may run again
	for _, old := range l.Proofs {
		if old.UserID == p.UserID && old.Means != p.Means && p.At.Sub(old.At) < Lifetime {
			kept = append(kept, old)
		}
	}
	l.Proofs = append(kept, p)
}

// means returns the means by which the user has means themselves in this attempt.
func (l *Login) means(userID string, now time.Time) factor.List {
	var list factor.List
	for _, p := range l.Proofs {
		if p.UserID == userID && now.Sub(p.At) < Lifetime {
			list = append(list, p.Means)
		}
	}
	return list
}

// byMailAlone reports whether nothing was proven but that mail was read.
func (l *Login) byMailAlone() bool {
	return !slices.ContainsFunc(l.Proofs, func(p Proof) bool { return p.Means != factor.Email })
}

// authAt returns when the latest proof was given, for the session; zero when that is
// not known of any.
func (l *Login) authAt() (latest time.Time) {
	for _, p := range l.Proofs {
		if p.AuthAt.After(latest) {
			latest = p.AuthAt
		}
	}
	return latest
}
