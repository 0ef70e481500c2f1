//go:build !linux

package web

import (
	"net/netip"
	"os"
)

// peerUser cannot tell outside Linux; the other checks of devMail remain.
func peerUser(netip.AddrPort) (int, error) { return os.Getuid(), nil }
