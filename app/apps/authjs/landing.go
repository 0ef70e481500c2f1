package authjs

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// maxURL is longer than any address an app's page has.
const maxURL = 2000

// Landing returns where a callbackUrl leads: always on the origin, which is
// given as scheme and host. A path is one on it, an address on it is itself, and
// everything else, whatever a browser might make of it, is the origin. The names
// "error" and "code" are taken out of the query, since the clients read from an
// answer's query whether it was a success.
func Landing(origin, value string) string {
	if value == "" || len(value) > maxURL || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return origin
	}
	if strings.HasPrefix(value, "/") {
		value = origin + value
	}
	u, err := url.Parse(value)
	if err != nil || u.Opaque != "" || u.User != nil || !SameOrigin(u.Scheme+"://"+u.Host, origin) {
		return origin
	}
	rest := u.EscapedPath()
	if u.RawQuery = withoutOutcome(u.RawQuery); u.RawQuery != "" {
		rest += "?" + u.RawQuery
	}
	if u.Fragment != "" {
		rest += "#" + u.EscapedFragment()
	}
	return origin + rest
}

// withoutOutcome takes the names that tell an outcome out of a query and leaves
// the rest as it was written.
func withoutOutcome(query string) string {
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil && (plain == "error" || plain == "code") {
			continue
		}
		kept = append(kept, strings.Map(printable, pair))
	}
	return strings.Join(kept, "&")
}

func printable(r rune) rune {
	if r <= ' ' || r >= 0x7f || r == '"' || r == '<' || r == '>' || r == '\\' {
		return -1
	}
	return r
}

// SameOrigin reports whether two origins are one. The names of this machine are
// one name: a development server is opened by any of them.
func SameOrigin(a, b string) bool {
	if a == b {
		return true
	}
	schemeA, hostA, okA := strings.Cut(strings.ToLower(a), "://")
	schemeB, hostB, okB := strings.Cut(strings.ToLower(b), "://")
	return okA && okB && schemeA == schemeB && SameHost(schemeA, hostA, hostB)
}

// SameHost is SameOrigin for what stands behind the scheme.
func SameHost(scheme, a, b string) bool {
	nameA, portA := split(scheme, a)
	nameB, portB := split(scheme, b)
	return portA == portB && nameA != "" && (strings.EqualFold(nameA, nameB) || Loopback(nameA) && Loopback(nameB))
}

func split(scheme, hostport string) (name, port string) {
	name, port, err := net.SplitHostPort(hostport)
	if err != nil {
		name = strings.Trim(hostport, "[]")
	}
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return name, port
}

// Loopback reports whether a host's name, without a port, is this machine's.
func Loopback(name string) bool {
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.IsLoopback()
}
