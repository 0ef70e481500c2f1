package submission

import (
	"fmt"

	"gatelodge/app/mail/header"
)

// Refusal is why a mail was not taken, in the words of SMTP: a reply code, an
// enhanced code (RFC 3463) and a sentence for whoever set the app up.
type Refusal struct {
	Code     int
	Enhanced [3]int
	Text     string
}

// Error is the reply as SMTP gives it.
func (r *Refusal) Error() string {
	return fmt.Sprintf("%d %s %s", r.Code, r.EnhancedCode(), r.Text)
}

// EnhancedCode is the code as it is written: "5.7.1".
func (r *Refusal) EnhancedCode() string {
	return fmt.Sprintf("%d.%d.%d", r.Enhanced[0], r.Enhanced[1], r.Enhanced[2])
}

// NotJSON is the refusal of what cannot be read.
func NotJSON(err error) *Refusal { return refuse(550, 5, 6, 0, "this is not a mail as JSON: %s", err) }

// ErrNoLogin is the refusal of who gave neither name nor password.
var ErrNoLogin = refuse(530, 5, 7, 0, "log in first: this server relays for nobody else")

// ErrTooLarge is the refusal of a mail that is too long.
var ErrTooLarge = refuse(552, 5, 3, 4, "the mail is larger than this credential may send")

// Status returns the HTTP status that says the same.
func (r *Refusal) Status() int {
	switch {
	case r.Code == 535 || r.Code == 530:
		return 401
	case r == errTooManyLogins || r.Enhanced == [3]int{4, 7, 1}:
		return 429
	case r.Code < 500:
		return 503
	case r.Enhanced == [3]int{5, 7, 1}:
		return 403
	case r.Code == 552:
		return 413
	}
	return 422
}

func refuse(code int, a, b, c int, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Enhanced: [3]int{a, b, c}, Text: fmt.Sprintf(format, args...)}
}

// The refusals that are the same for everybody.
var (
	errLogin         = refuse(535, 5, 7, 8, "the name or the password is wrong")
	errTooManyLogins = refuse(421, 4, 7, 0, "too many wrong passwords; try again in ten minutes")
	errQueueFull     = refuse(452, 4, 3, 1, "too much mail is waiting; try again later")
	errDiskFull      = refuse(452, 4, 3, 1, "the disk is full; try again later")
	errBroken        = refuse(451, 4, 3, 0, "this server cannot write right now; try again later")
	errRemoved       = refuse(535, 5, 7, 8, "this credential was removed")
	errRecipients    = refuse(452, 4, 5, 3, "at most %d recipients for one mail", MaxRecipients)
	errNested        = refuse(503, 5, 5, 1, "there is a mail under way: end it with DATA or RSET before the next")
	errNobody        = refuse(554, 5, 5, 1, "the mail has no recipient")
	errBareBreak     = refuse(550, 5, 6, 0, "the mail has line breaks that are not CR LF, or a NUL")
	errLongLine      = refuse(550, 5, 6, 0, "the mail has a line of more than 998 characters; encode it as quoted-printable or base64")
	errLongHeader    = refuse(552, 5, 3, 4, "the header has more than %d KB or %d fields", header.MaxBytes>>10, header.MaxFields)
	errNoHeader      = refuse(550, 5, 6, 0, "the mail does not begin with a header")
	errLoop          = refuse(554, 5, 4, 6, "the mail goes in circles: %d servers have handed it on", maxReceived)
)
