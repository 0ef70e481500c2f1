package store

import "errors"

// What can go wrong, by kind: compare with errors.Is.
var (
	// ErrNotFound means no row matched. Spent, expired and unknown secrets all
	// look like this on purpose.
	ErrNotFound = errors.New("not found")
	// ErrConflict means a row with that unique value exists already.
	ErrConflict = errors.New("exists already")
	// ErrLocked means another process has this data directory.
	ErrLocked = errors.New("in use by another process")
	// ErrKey means the key file is missing, unreadable or of another database.
	ErrKey = errors.New("key does not fit")
	// ErrExposed means that others may change what is in the data directory.
	ErrExposed = errors.New("open to others")
	// ErrNewer means a newer program wrote this database.
	ErrNewer = errors.New("database is newer than this program")
	// ErrForeign means the file is not a database of ours.
	ErrForeign = errors.New("not a Gatelodge database")
	// ErrReadOnly means the directory or the database cannot be written.
	ErrReadOnly = errors.New("not writable")
	// ErrFull means the disk is full. Nothing was half-written.
	ErrFull = errors.New("disk full")
	// ErrBusy means another program or transaction holds the database, and waiting for
	// it did not help.
	ErrBusy = errors.New("database is locked by another program")
	// ErrIO means the disk or the operating system failed a read or a write.
	ErrIO = errors.New("input or output failed")
	// ErrCorrupt means SQLite found the file damaged.
	ErrCorrupt = errors.New("database damaged")
	// ErrEmptied means that there is no database where there was one: its key or its
	// backups are still there.
	ErrEmptied = errors.New("database is gone")
	// ErrNetwork means the file lies on a network file system, where SQLite's
	// locks and shared memory do not hold.
	ErrNetwork = errors.New("on a network file system")
	// ErrUnreachable means the database server does not answer, or does not let us
	// in.
	ErrUnreachable = errors.New("database cannot be reached")
	// ErrEncoding means the database keeps texts in an encoding that has not every
	// character.
	ErrEncoding = errors.New("database is not in UTF-8")
	// ErrPrivilege means the database server knows us, and we lack a privilege there.
	ErrPrivilege = errors.New("no privilege")
	// ErrClosed means the store was closed.
	ErrClosed = errors.New("store is closed")
)

// Problem is a condition that a person can fix: one sentence that names the thing,
// and a hint that names the fix. errors.Is sees its kind.
type Problem struct {
	kind  error
	text  string
	hint  string
	cause error
	// passing says that waiting may help.
	passing bool
}

// Passing reports whether err may be gone in some seconds without a change here: a
// database server that is not there yet, starts, or is about to become the primary.
func Passing(err error) bool {
	p, ok := errors.AsType[*Problem](err)
	return ok && p.passing
}

// Error returns the sentence and, when there is one, the cause.
func (p *Problem) Error() string {
	if p.cause != nil {
		return p.text + ": " + p.cause.Error()
	}
	return p.text
}

// Hint returns what to try, as one sentence without a full stop.
func (p *Problem) Hint() string { return p.hint }

// Unwrap returns the kind and the cause.
func (p *Problem) Unwrap() []error {
	if p.cause == nil {
		return []error{p.kind}
	}
	return []error{p.kind, p.cause}
}
