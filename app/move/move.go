// Package move takes people over from the database of an Auth.js (NextAuth)
// app, and hands them back in its shape or as JSON Lines.
//
// A person comes whole or not at all: the user under the id the app knows, with
// the linked accounts, passkeys, password and sessions, in one transaction. A user
// whose id belongs to another user here gets a new id, which the report names. Who
// is here already is left exactly as they are, so that running it again adds
// only who was missing and revives nothing that ended here. What is left out is
// counted with the reason. The source is only read.
package move

import (
	"cmp"
	"slices"
)

// Refusal is an error that a person can mend.
type Refusal struct {
	text  string
	hint  string
	cause error
}

func (r *Refusal) Error() string {
	if r.cause != nil {
		return r.text + ": " + r.cause.Error()
	}
	return r.text
}

// Hint says what to try, or nothing.
func (r *Refusal) Hint() string { return r.hint }

func (r *Refusal) Unwrap() error { return r.cause }

// Counted is how many of a kind were seen and how many of those were taken, or
// would be.
type Counted struct {
	Read  int `json:"read"`
	Taken int `json:"taken"`
}

// Reason is why some were left out, or came with less than they had.
type Reason struct {
	Kind     string   `json:"kind"` // "user", "account", "passkey", "password", "session", "verification token"
	Why      string   `json:"why"`
	Count    int      `json:"count"`
	Examples []string `json:"examples,omitempty"` // ids of users, a few
}

// maxExamples is how many users a reason names.
const maxExamples = 5

// Report says what an import did or would do.
type Report struct {
	Shape     string         `json:"shape"`
	DryRun    bool           `json:"dryRun"`
	Tables    []string       `json:"tables"`
	Ignored   []string       `json:"ignoredColumns,omitempty"`
	Unknown   []Unrecognized `json:"unrecognizedTables,omitempty"`
	Users     Counted        `json:"users"`
	Here      int            `json:"alreadyHere"`
	Mapped    []Mapping      `json:"newIds,omitempty"` // whose id another user has here
	Accounts  Counted        `json:"accounts"`
	Passkeys  Counted        `json:"passkeys"`
	Passwords Counted        `json:"passwords"`
	Sessions  Counted        `json:"sessions"`
	Providers map[string]int `json:"providers,omitempty"` // accounts taken, by upstream
	LeftOut   []Reason       `json:"leftOut,omitempty"`
	Less      []Reason       `json:"withLess,omitempty"`
}

// Mapping names a user whose id another user has here, and the id they have here
// instead.
type Mapping struct {
	ID    string `json:"id"` // in their database
	NewID string `json:"newId"`
	Email string `json:"email,omitempty"`
}

func (r *Report) leave(kind, why, user string) { r.LeftOut = note(r.LeftOut, kind, why, 1, user) }

func (r *Report) lessen(kind, why, user string) { r.Less = note(r.Less, kind, why, 1, user) }

// note counts a reason.
func note(list []Reason, kind, why string, n int, examples ...string) []Reason {
	if n == 0 {
		return list
	}
	at := slices.IndexFunc(list, func(r Reason) bool { return r.Kind == kind && r.Why == why })
	if at < 0 {
		list = append(list, Reason{Kind: kind, Why: why})
		at = len(list) - 1
	}
	list[at].Count += n
	for _, e := range examples {
		if e != "" && len(list[at].Examples) < maxExamples && !slices.Contains(list[at].Examples, e) {
			list[at].Examples = append(list[at].Examples, e)
		}
	}
	return list
}

func (c *Counted) add(o Counted) {
	c.Read += o.Read
	c.Taken += o.Taken
}

// add counts what a batch did.
func (r *Report) add(b *Report) {
	r.Users.add(b.Users)
	r.Accounts.add(b.Accounts)
	r.Passkeys.add(b.Passkeys)
	r.Passwords.add(b.Passwords)
	r.Sessions.add(b.Sessions)
	r.Here += b.Here
	r.Mapped = append(r.Mapped, b.Mapped...)
	for provider, n := range b.Providers {
		r.provider(provider, n)
	}
	for _, l := range b.LeftOut {
		r.LeftOut = note(r.LeftOut, l.Kind, l.Why, l.Count, l.Examples...)
	}
	for _, l := range b.Less {
		r.Less = note(r.Less, l.Kind, l.Why, l.Count, l.Examples...)
	}
}

func (r *Report) provider(name string, n int) {
	if r.Providers == nil {
		r.Providers = make(map[string]int)
	}
	r.Providers[name] += n
}

// byKind orders reasons as people read them: users first.
func byKind(a, b Reason) int {
	order := map[string]int{"user": 0, "account": 1, "passkey": 2, "password": 3, "session": 4}
	return cmp.Or(cmp.Compare(order[a.Kind], order[b.Kind]), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Why, b.Why))
}
