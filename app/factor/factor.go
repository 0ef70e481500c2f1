// Package factor names the means by which people prove who they are. The packages below
// it check one kind of proof each.
package factor

import (
	"slices"
	"strings"
)

// Means is one way to prove who a user is, in the form in which attempts and
// sessions keep it.
type Means string

// The means. Upstream makes the others.
const (
	Email    Means = "email" // a link or code that was mailed
	Password Means = "pwd"
	SetUp    Means = "setup" // the set-up code, off the server's terminal
)

const upstream = "fed:"

// Upstream is the means of people who sign in with the provider that has this id.
func Upstream(id string) Means { return Means(upstream + id) }

// Upstream returns the id of the provider; ok is false for other means.
func (m Means) Upstream() (id string, ok bool) { return strings.CutPrefix(string(m), upstream) }

// List is what was proven together, the first proof first.
type List []Means

// Read returns the list that a session keeps.
func Read(stored string) List {
	var l List
	for m := range strings.FieldsSeq(stored) {
		l = append(l, Means(m))
	}
	return l
}

// String returns the list as a session keeps it.
func (l List) String() string {
	text := make([]string, len(l))
	for i, m := range l {
		text[i] = string(m)
	}
	return strings.Join(text, " ")
}

// First returns the first of the list, or "".
func (l List) First() Means {
	if len(l) == 0 {
		return ""
	}
	return l[0]
}

// And returns the list with those of others that it lacks.
func (l List) And(others List) List {
	all := slices.Clone(l)
	for _, m := range others {
		if !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	return all
}

// AMR returns the list in the words that other programs know (RFC 8176, 2), each once.
// "email" and "fed" are words of our own beside them: a mailed link is a one-time
// password, and what a provider checked is not known.
func (l List) AMR() []string {
	words := []string{}
	for _, m := range l {
		of := []string{string(m)}
		if _, ok := m.Upstream(); ok {
			of = []string{"fed"}
		}
		switch m {
		case Email:
			of = []string{"otp", "email"}
		case SetUp:
			of = []string{"otp"}
		}
		for _, word := range of {
			if !slices.Contains(words, word) {
				words = append(words, word)
			}
		}
	}
	return words
}
