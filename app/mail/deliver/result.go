// Package deliver hands a message to a mail server: our own SMTP client.
//
// Whatever the server does, a session ends within its limits, and what it
// reports is what the queue needs to know: accepted, try again, never, or "the
// answer to the final dot was lost, so it may have been delivered". Our name
// stands in EHLO before and after STARTTLS. A smarthost is always verified, and
// no password leaves without TLS, but to this machine.
package deliver

import (
	"strings"
	"time"
	"unicode"
)

// Class is what a result means for the message.
type Class int

// The classes.
const (
	// Temporary: try again later.
	Temporary Class = iota
	// Sent: the server took responsibility.
	Sent
	// Permanent: this message will never be taken for this recipient.
	Permanent
	// Ambiguous: the final dot was sent and no answer came.
	Ambiguous
	// Paused: the server refuses us, not the message: our login or our way of
	// connecting. Every other message would fare the same.
	Paused
	// Expired: it would have come too late.
	Expired
)

// The stages of a session.
const (
	AtRoute    = "DNS" // before any server is known
	AtConnect  = "connect"
	AtGreeting = "greeting"
	AtHello    = "EHLO"
	AtTLS      = "STARTTLS"
	AtAuth     = "AUTH"
	AtFrom     = "MAIL FROM"
	AtTo       = "RCPT TO"
	AtData     = "DATA"
	AtDot      = "final dot"
)

// Result is how a session ended.
type Result struct {
	Class    Class
	Code     int    // the server's reply code; 0 when it did not come to one
	Enhanced string // RFC 3463: "5.1.1", or ""
	Text     string // the reply or our own words; no address, no control characters
	Stage    string
	TLS      string // "TLS 1.3", with what it lacks or has besides a verified certificate; "" in clear
	RemoteIP string
	Err      error // what broke, when nothing was said
	Busy     bool  // nothing was tried: too many of ours are there already
	// Impatient says that a server which may only be slow was left early: RFC 5321
	// gives it minutes, which a person does not wait at first.
	Impatient bool
	Rests     bool   // nothing was tried: the server wants less of us for a while
	Way       string // the transport that the result is of, where there are several
}

// How well TLS protects.
const (
	verified   = "verified"
	unverified = "not verified"
	byPolicy   = "MTA-STS"
	byDANE     = "DANE"
)

// TransportDown reports whether the failure lies with the server or the way to
// it and not with the message, so that others would fail the same way.
func (r Result) TransportDown() bool {
	if r.Class != Temporary || r.Impatient {
		return false
	}
	switch r.Stage {
	case AtRoute:
		return r.Err != nil
	case AtConnect, AtGreeting, AtHello, AtTLS, AtAuth:
		return true
	}
	return r.Code == 421
}

// Refusal reports whether a server refuses us for now rather than the message:
// a refusal to be counted, and believed when it comes again and again.
func (r Result) Refusal() bool { return r.Class == Temporary && r.Code >= 500 }

// Throttled reports whether the server wants less mail of us for a while,
// whoever it is for (RFC 3463, X.7: what it means at RCPT is the recipient's
// greylist).
func (r Result) Throttled() bool {
	return r.Class == Temporary && (r.Code == 421 || r.Code/100 == 4 && strings.HasPrefix(r.Enhanced, "4.7.") && r.Stage != AtTo ||
		r.Code >= 500 && r.Stage == AtGreeting)
}

// Limits bound a session.
type Limits struct {
	Connect  time.Duration // for the connection, and for the greeting where Greeting is less
	Greeting time.Duration
	Command  time.Duration // for each command, and each stretch of the body
	Dot      time.Duration // for the answer to the final dot
	Session  time.Duration // for everything up to the final dot
}

// dotWithin is how long the answer to the final dot may take (RFC 5321,
// 4.5.3.2.6). A client that waits less sends mail twice.
const dotWithin = 10 * time.Minute

// SignInLimits are for mail that a person waits for, the first time: another
// server, or another try, may be faster than a slow one.
func SignInLimits() Limits {
	return Limits{Connect: 10 * time.Second, Command: 30 * time.Second, Dot: dotWithin, Session: 2 * time.Minute}
}

// RetryLimits are for mail that a person waits for, when a server was too slow
// before.
func RetryLimits() Limits {
	return Limits{Connect: 30 * time.Second, Greeting: 2 * time.Minute, Command: 2 * time.Minute, Dot: dotWithin, Session: 5 * time.Minute}
}

// RelayLimits are for mail that can wait: those of RFC 5321, 4.5.3.2,
// but for a whole session that a server may not draw out for ever.
func RelayLimits() Limits {
	return Limits{Connect: 30 * time.Second, Greeting: 5 * time.Minute, Command: 5 * time.Minute, Dot: dotWithin, Session: 20 * time.Minute}
}

// limits chooses those for the message: first at first, retry for later tries,
// and patience for mail that can wait. A zero one is first.
func (e Envelope) limits(first, retry, patience Limits) Limits {
	switch {
	case e.Patient && patience != (Limits{}):
		return patience
	case !e.Patient && e.Attempt > 1 && retry != (Limits{}):
		return retry
	}
	return first
}

// Envelope is a message with where it goes.
type Envelope struct {
	From     string
	To       string
	Body     []byte    // CRLF lines, ASCII
	NotAfter time.Time // of no use when it arrives later
	Attempt  int       // 1 is the first
	Refusals int       // how often servers have refused us, of this message, before
	SignIn   bool      // a person waits for it, and it opens an account
	Patient  bool      // nobody waits for it: a slow server gets its time
	Dry      bool      // a trial: it ends where the message would be sent
}

// Step is one exchange of a session, for people who look for what is wrong.
// Passwords are never in it.
type Step struct {
	At       time.Duration // since the session began
	Sent     string
	Received string
	Note     string
}

const maxText = 300

// scrub makes a server's words fit for a log: one line, no control characters,
// bounded, and without the recipient's address.
func scrub(text, address string) string {
	if address != "" {
		text = replaceFold(text, address, "<recipient>")
		if at := strings.LastIndexByte(address, '@'); at > 2 {
			text = replaceFold(text, address[:at]+"@", "<recipient>@")
		}
	}
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(r rune) bool {
		return r == ' ' || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
	}), " ")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	return text
}

func replaceFold(s, old, new string) string {
	lower, old := strings.ToLower(s), strings.ToLower(old)
	if len(lower) != len(s) {
		return strings.ReplaceAll(s, old, new)
	}
	var b strings.Builder
	for {
		i := strings.Index(lower, old)
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		b.WriteString(new)
		s, lower = s[i+len(old):], lower[i+len(old):]
	}
}
