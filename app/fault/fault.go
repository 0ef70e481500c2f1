// Package fault holds the one kind of error a person may see.
//
// A Fault names its sentence by a key of package lang, never by text, so that
// it is said in the reader's language. What it was caused by goes to the log
// and never to a page. Any other error is shown as "something went wrong here".
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind is what a fault means for the one who asked.
type Kind int

// The kinds, each with the HTTP status it becomes.
const (
	Internal    Kind = 500 // ours to mend
	Invalid     Kind = 422 // the form has to be filled differently
	Denied      Kind = 403
	Cross       Kind = 403 + 1000 // a form sent by another site
	NotFound    Kind = 404
	Method      Kind = 405
	Conflict    Kind = 409
	Gone        Kind = 410 // used, expired, superseded
	TooLarge    Kind = 413
	Misdirected Kind = 421 // for another host
	Limited     Kind = 429
	Unavailable Kind = 503
)

// Status returns the HTTP status of the kind.
func (k Kind) Status() int { return int(k) % 1000 }

// Fault is an error with a sentence for a person.
type Fault struct {
	Kind  Kind
	Text  string        // key in the language files
	Args  []any         // name, value, name, value for the sentence
	Field string        // the form field it is about, or ""
	Wait  time.Duration // for Limited and Unavailable: when to try again
	cause error
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

// Is reports whether target is a fault with the same sentence, whatever its
// arguments.
func (f *Fault) Is(target error) bool {
	t, ok := target.(*Fault)
	return ok && t.Text == f.Text
}

// With returns a copy with arguments for the sentence: name, value, and so on.
func (f *Fault) With(args ...any) *Fault {
	c := *f
	c.Args = args
	return &c
}

// In returns a copy that is about a form field.
func (f *Fault) In(field string) *Fault {
	c := *f
	c.Field = field
	return &c
}

// After returns a copy that says when to try again.
func (f *Fault) After(wait time.Duration) *Fault {
	c := *f
	c.Wait = wait
	return &c
}

// Because returns a copy with the cause for the log.
func (f *Fault) Because(err error) *Fault {
	c := *f
	c.cause = err
	return &c
}

// Of returns the fault in err, or one of kind Internal that err caused.
func Of(err error) *Fault {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	return New(Internal, "error.internal").Because(err)
}
