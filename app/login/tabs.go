package login

import (
	"slices"
	"strconv"
)

// Sent is what an attempt was when its mail was sent. One browser has several, one in
// each tab: the page that waits for a code names its own.
type Sent struct {
	Number     int       `json:"n"` // of those that this browser asked for, from 1
	Challenge  string    `json:"c"`
	Email      string    `json:"e"`
	Identifier string    `json:"i,omitempty"`
	Return     string    `json:"r,omitempty"`
	AppLogin   *AppLogin `json:"a,omitempty"`
	Confirms   string    `json:"k,omitempty"`
	Joining    *Joining  `json:"j,omitempty"`
}

// name is what the page calls it. It says nothing of the address: pages are the same
// whether or not anybody has it.
func (s Sent) name() string { return strconv.Itoa(s.Number) }

// KeyApps gives what an earlier version kept by the names of Apps their ids.
func (l *Login) KeyApps(id func(idOrName string) string) {
	if l.For != "" {
		l.For = id(l.For)
	}
	if l.AppLogin != nil {
		l.AppLogin.App = id(l.AppLogin.App)
	}
	for _, s := range l.Sent {
		if s.AppLogin != nil {
			s.AppLogin.App = id(s.AppLogin.App)
		}
	}
}

// maxSent is how many a browser remembers: the cookie is small.
const maxSent = 3

// AwaitMail says that the attempt waits for the mail of a challenge, to an address in its
// normal form.
func (l *Login) AwaitMail(email, challenge string) {
	l.Email, l.Challenge = email, challenge
	s := Sent{1, challenge, email, l.Identifier, l.Return, l.AppLogin, l.Confirms, l.Joining}
	l.Sent = slices.Clone(l.Sent)
	for i, old := range l.Sent {
		if old.Challenge == challenge {
			s.Number = old.Number
			l.Sent[i] = s
			return
		}
		s.Number = max(s.Number, old.Number+1)
	}
	l.Sent = append(l.Sent, s)
	l.Sent = l.Sent[max(0, len(l.Sent)-maxSent):]
}

// Attempt names what the attempt waits for, or is "".
func (l *Login) Attempt() string {
	for _, s := range l.Sent {
		if s.Challenge == l.Challenge {
			return s.name()
		}
	}
	return ""
}

// Select makes the attempt the one of that name. "" leaves it. One that this browser
// does not remember waits for nothing.
func (l *Login) Select(name string) {
	if name == "" || name == l.Attempt() {
		return
	}
	var s Sent
	if i := slices.IndexFunc(l.Sent, func(s Sent) bool { return s.name() == name }); i >= 0 {
		s = l.Sent[i]
	}
	l.Challenge, l.Email, l.Identifier, l.Return = s.Challenge, s.Email, s.Identifier, s.Return
	l.AppLogin, l.Confirms, l.Joining, l.Proofs = s.AppLogin, s.Confirms, s.Joining, nil
}
