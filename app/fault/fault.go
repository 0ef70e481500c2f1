// Package fault holds the one kind of error that users see.
//
// A Fault names its sentence by a key of package lang, never by text, so that
// it is shown in the reader's language. Its cause goes to the log and never to a
// page. Users see any other error as "something went wrong here".
//
// A fault is known by where it was made, not by its sentence: errors.Is finds the
// package-level value in each copy that With, In, After and Because return, and tells
// two faults with the same sentence apart.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind is what a fault means for the sender of the request. Package web gives each an
// HTTP status.
type Kind int

// The kinds.
const (
	Internal    Kind = iota // a defect or failure of the server
	Invalid                 // the request or form has to change
	Denied                  // not allowed
	NotFound                // no such thing, or none that this user may see
	Conflict                // contradicts what is stored
	Gone                    // used, expired or superseded
	Limited                 // too many; Wait says when to try again
	Unavailable             // cannot be done now
)

// Reason is what was refused, in a word: for counters and logs, which must not change
// with a sentence. Most faults have none.
type Reason string

// The reasons. Those of refused sign-ins are documented in app/doc/bans.md.
const (
	Password Reason = "password" // a wrong password
	Code     Reason = "code"     // a wrong or used-up code
	Limit    Reason = "limited"  // too many tries
	Disabled Reason = "disabled" // a suspended or closing account
	Provider Reason = "provider" // a provider refused, or is not working
)

// Fault is an error with a sentence for users.
type Fault struct {
	Kind   Kind
	Reason Reason
	Text   string        // key in the language files
	Args   []any         // name, value, name, value for the sentence
	Field  string        // the form field it is about, or ""
	Wait   time.Duration // for Limited and Unavailable: when to try again
	cause  error
	origin *Fault // that this is a copy of, or nil
}

// New returns a fault to be kept as a package-level value and compared with
// errors.Is.
func New(kind Kind, text string) *Fault { return &Fault{Kind: kind, Text: text} }

// Error returns the key and the cause, for the log.
func (f *Fault) Error() string {
	if f.cause != nil {
		return fmt.Sprintf("%s: %v", f.Text, f.cause)
	}
	return f.Text
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.cause }

// Is reports whether target is this fault, or both are copies of the same one.
func (f *Fault) Is(target error) bool {
	t, ok := target.(*Fault)
	return ok && f.identity() == t.identity()
}

func (f *Fault) identity() *Fault {
	if f.origin != nil {
		return f.origin
	}
	return f
}

func (f *Fault) copy() *Fault {
	c := *f
	c.origin = f.identity()
	return &c
}

// For returns a copy with a reason.
func (f *Fault) For(reason Reason) *Fault {
	c := f.copy()
	c.Reason = reason
	return c
}

// With returns a copy with arguments for the sentence: name, value, and so on.
func (f *Fault) With(args ...any) *Fault {
	c := f.copy()
	c.Args = args
	return c
}

// In returns a copy that is about a form field.
func (f *Fault) In(field string) *Fault {
	c := f.copy()
	c.Field = field
	return c
}

// After returns a copy that says when to try again.
func (f *Fault) After(wait time.Duration) *Fault {
	c := f.copy()
	c.Wait = wait
	return c
}

// Because returns a copy with the cause for the log.
func (f *Fault) Because(err error) *Fault {
	c := f.copy()
	c.cause = err
	return c
}

// ErrInternal is the fault that users see of an error which is none.
var ErrInternal = New(Internal, "error.internal")

// Of returns the fault in err, or a copy of ErrInternal that err caused.
func Of(err error) *Fault {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	return ErrInternal.Because(err)
}
