package submission

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"
)

// againAfter is when a port that could not be had is asked for again.
const againAfter = time.Minute

// Listener keeps the port open where apps hand over mail. One that cannot be had
// is asked for again and again: nobody's sign-in waits for it.
type Listener struct {
	Address string
	// Open makes the server that listens.
	Open func() (*Server, error)
	Now  func() time.Time
	Log  *slog.Logger
	// Again is how long after a failure to ask again; zero is a minute.
	Again time.Duration

	mu     sync.Mutex
	server *Server // nil: there is none now
	failed error
	since  time.Time // of the first failure in a row
}

// Listen opens the port, and returns where it is, "" when it cannot be had: see
// Trouble.
func (l *Listener) Listen() string {
	server, err := l.Open()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.fail(&noListener{l.Address, err})
		return ""
	}
	l.server, l.failed, l.since = server, nil, time.Time{}
	return server.Addr().String()
}

// fail writes a failure down. It is logged when it is another than the last.
func (l *Listener) fail(err *noListener) {
	if l.failed == nil {
		l.since = l.Now()
	}
	if l.failed == nil || l.failed.Error() != err.Error() {
		l.Log.Error("apps cannot hand over mail over SMTP; the port is asked for again every minute", "err", err, "fix", err.Hint())
	}
	l.server, l.failed = nil, err
}

// Trouble is why nobody listens. The zero value is none.
type Trouble struct {
	Since time.Time
	Err   error // has a Hint
}

// Trouble returns why nobody listens at the port, if so.
func (l *Listener) Trouble() Trouble {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Trouble{l.since, l.failed}
}

// Run serves until ctx ends, and then lets the mails that are being handed over
// come to their end. A port that is not open is opened as soon as it can be had.
func (l *Listener) Run(ctx context.Context) {
	again := l.Again
	if again == 0 {
		again = againAfter
	}
	for {
		l.mu.Lock()
		server := l.server
		l.mu.Unlock()
		if server != nil {
			err := server.Run(ctx)
			if ctx.Err() != nil {
				return
			}
			l.mu.Lock()
			l.fail(&noListener{l.Address, err})
			l.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(again):
		}
		if at := l.Listen(); at != "" {
			l.Log.Info("apps hand over mail", "at", at)
		}
	}
}

// noListener means that the port of the relay cannot be had.
type noListener struct {
	address string
	cause   error
}

func (e *noListener) Error() string {
	why := e.cause.Error()
	if _, ok := errors.AsType[*net.OpError](e.cause); ok {
		if errno, ok := errors.AsType[syscall.Errno](e.cause); ok {
			why = errno.Error() // without the address a second time
		}
	}
	return "nobody listens at mail.submission.listen, " + e.address + ": " + why
}

func (e *noListener) Unwrap() error { return e.cause }

// Hint says what to try.
func (e *noListener) Hint() string {
	errno, _ := errors.AsType[syscall.Errno](e.cause)
	_, network := errors.AsType[*net.OpError](e.cause)
	switch {
	case errno == syscall.EACCES && network:
		return "ports below 1024 need a privilege: AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit, or a higher port such as 127.0.0.1:2587"
	case errno == syscall.EADDRINUSE:
		return "stop the mail server that has the port, or choose another, such as 127.0.0.1:2587"
	case errno == syscall.EADDRNOTAVAIL:
		return "choose an address of this machine, such as 127.0.0.1:587"
	}
	return "see mail.submission in the configuration"
}
