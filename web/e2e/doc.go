// Package e2e holds tests only: the built program, started on a port of its
// own, in a real Chromium and with a real mail server, the way people meet it.
package e2e
