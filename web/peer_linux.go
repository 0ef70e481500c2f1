package web

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// errNoPeer means that no socket of this machine has that address.
var errNoPeer = errors.New("no such connection on this machine")

// peerUser returns the user id of the program at the other end of a connection
// within this machine, as the kernel lists it in /proc/net (proc(5)).
func peerUser(peer netip.AddrPort) (int, error) {
	want := fmt.Sprintf("%s:%04X", kernelHex(peer.Addr().Unmap()), peer.Port())
	mapped := fmt.Sprintf("%s:%04X", kernelHex(netip.AddrFrom16(peer.Addr().As16())), peer.Port())
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		uid, err := findSocket(name, want, mapped)
		if !errors.Is(err, errNoPeer) {
			return uid, err
		}
	}
	return 0, errNoPeer
}

// findSocket looks for a connection by its own address in a file of /proc/net.
func findSocket(name string, addresses ...string) (int, error) {
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return 0, errNoPeer
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		// sl local_address rem_address st queues tr:when retrnsmt uid …
		if len(fields) > 7 && slices.Contains(addresses, fields[1]) {
			return strconv.Atoi(fields[7])
		}
	}
	return 0, errNoPeer
}

// kernelHex writes an address as /proc/net does: 32-bit words, each with its
// bytes reversed (all machines we build for are little-endian).
func kernelHex(a netip.Addr) string {
	b := a.AsSlice()
	for word := range slices.Chunk(b, 4) {
		slices.Reverse(word)
	}
	return strings.ToUpper(hex.EncodeToString(b))
}
