// Package proxy reads what reverse proxies say about a request, from the proxies that
// the configuration trusts. It is the only reader of forwarded headers.
//
// X-Forwarded-For and X-Forwarded-Host are read; Forwarded (RFC 7239) is not. A header
// of a trusted proxy that cannot be read is logged once for each cause, with the change
// that the proxy needs, and kept for the doctor.
package proxy

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// maxHops bounds how much of a header is read.
const maxHops = 20

// Reader reads forwarded headers. Make it with New.
type Reader struct {
	trusted  []netip.Prefix
	own      string // our own host, without its port
	now      func() time.Time
	log      *slog.Logger
	troubles troubles
}

// New returns a reader for the proxies in trusted. ownHost is the host of our pages.
func New(trusted []netip.Prefix, ownHost string, now func() time.Time, log *slog.Logger) *Reader {
	own, _ := SplitHost(ownHost)
	return &Reader{trusted: trusted, own: own, now: now, log: log}
}

// Client returns the address that a request comes from: the peer's, or, when the peer
// is a trusted proxy, the last address in X-Forwarded-For that is not one. The client
// wrote what stands left of that. Where an entry cannot be read, it is the address of
// the proxy that sent it.
func (p *Reader) Client(r *http.Request) netip.Addr {
	ip, _ := p.chain(r)
	return ip
}

// chain returns the client's address, and how many trusted proxies in a row the request
// passed.
func (p *Reader) chain(r *http.Request) (ip netip.Addr, proxies int) {
	ip = peer(r)
	if !p.trusts(ip) {
		return ip, 0
	}
	proxies = 1
	hops := entries(r, "X-Forwarded-For")
	if len(hops) == 0 && Forwarded(r) {
		p.trouble(ip, absent, "")
	}
	for n := range min(len(hops), maxHops) {
		text := hops[len(hops)-1-n]
		hop, ok := parseHop(text)
		if !ok {
			p.trouble(ip, unreadableFor, text)
			return ip, proxies
		}
		if ip = hop; !p.trusts(ip) {
			return ip, proxies
		}
		proxies++
	}
	return ip, proxies
}

// Local reports whether a request comes from this machine itself and through no proxy.
func (p *Reader) Local(r *http.Request) bool { return !Forwarded(r) && peer(r).IsLoopback() }

// Hosts returns the hosts that a request may have been sent to, in normal form: those
// in X-Forwarded-Host that trusted proxies vouch for, the nearest proxy's first, then
// the Host header. Each trusted proxy vouches for one name. Addresses, names without a
// dot and our own host are those of proxies among each other, and count for none.
func (p *Reader) Hosts(r *http.Request) []string {
	var list []string
	if named := entries(r, "X-Forwarded-Host"); len(named) > 0 {
		_, vouched := p.chain(r)
		for n := 0; vouched > 0 && n < min(len(named), maxHops); n++ {
			text := named[len(named)-1-n]
			host, ok := parseHost(text)
			if !ok {
				p.trouble(peer(r), unreadableHost, text)
				break
			}
			list = append(list, host)
			if name, _ := SplitHost(host); name != p.own && strings.Contains(name, ".") && !isAddress(name) {
				vouched--
			}
		}
	}
	return append(list, NormalHost(r.Host))
}

func (p *Reader) trusts(ip netip.Addr) bool {
	for _, prefix := range p.trusted {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// Forwarded reports whether a request bears the marks of a proxy.
func Forwarded(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"} {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	return false
}

// peer returns the address at the other end of the connection. A Unix socket has none;
// its peer is a process of this machine.
func peer(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return ip.Unmap().WithZone("")
}

// entries returns the entries of a list header in order, over all of its lines (RFC
// 9110, 5.6.1), without empty ones and quotes.
func entries(r *http.Request, name string) []string {
	var list []string
	for _, line := range r.Header.Values(name) {
		for entry := range strings.SplitSeq(line, ",") {
			entry = strings.TrimSpace(entry)
			if n := len(entry); n >= 2 && entry[0] == '"' && entry[n-1] == '"' {
				entry = strings.TrimSpace(entry[1 : n-1])
			}
			if entry != "" {
				list = append(list, entry)
			}
		}
	}
	return list
}

// parseHop reads an address in each form that proxies write: with a port (Azure), in
// brackets, or bare.
func parseHop(text string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		host, port := SplitHost(text)
		if port != "" && !isPort(port) {
			return netip.Addr{}, false
		}
		if ip, err = netip.ParseAddr(host); err != nil {
			return netip.Addr{}, false
		}
	}
	ip = ip.Unmap().WithZone("")
	return ip, !ip.IsUnspecified()
}

// parseHost reads a host with or without a port.
func parseHost(text string) (string, bool) {
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`/\@?#"<>;=`, r) }) {
		return "", false
	}
	host := NormalHost(text)
	name, port := SplitHost(host)
	return host, name != "" && (port == "" || isPort(port))
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

func isAddress(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil
}

// NormalHost returns a host, with or without a port, in lower case and without the dot
// that ends a full name.
func NormalHost(hostport string) string {
	name, port := SplitHost(hostport)
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	if port != "" {
		name += ":" + port
	}
	return name
}

// SplitHost parts a host from its port, which may be missing. An IPv6 address loses its
// brackets.
func SplitHost(hostport string) (host, port string) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]"), ""
	}
	return host, port
}
