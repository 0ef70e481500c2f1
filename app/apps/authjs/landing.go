package authjs

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// maxURL is longer than any address an app's page has.
const maxURL = 2000

// Landing returns where a callbackUrl leads: always on the origin, which is
// given as scheme and host. A path is one on it, an address on it is itself, and
// everything else, whatever a browser might make of it, is the origin. What an address
// may not hold is encoded as browsers do; a landing that is asked for again stays what
// it is.
//
// The clients read from an answer's query whether it was a success: an "error", with
// the "code" beside it, is left over from an earlier answer and taken out. A "code"
// alone is the app's.
func Landing(origin, value string) string {
	if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return origin
	}
	if strings.HasPrefix(value, "/") {
		value = origin + value
	}
	u, err := url.Parse(parsable(value))
	if err != nil || u.Opaque != "" || u.User != nil || !SameOrigin(u.Scheme+"://"+u.Host, origin) {
		return origin
	}
	to := origin + u.EscapedPath()
	if query := encoded(withoutOutcome(u.RawQuery)); query != "" {
		to += "?" + query
	}
	if u.Fragment != "" {
		to += "#" + u.EscapedFragment()
	}
	if len(to) > maxURL {
		return origin
	}
	return to
}

// withoutOutcome takes an "error" and the "code" beside it out of a query and leaves
// the rest as it was written.
func withoutOutcome(query string) string {
	pairs := strings.Split(query, "&")
	if !slices.ContainsFunc(pairs, func(pair string) bool { return named(pair) == "error" }) {
		return query
	}
	return strings.Join(slices.DeleteFunc(pairs, func(pair string) bool { return named(pair) == "error" || named(pair) == "code" }), "&")
}

// named returns the name of a pair in a query.
func named(pair string) string {
	name, _, _ := strings.Cut(pair, "=")
	if plain, err := url.QueryUnescape(name); err == nil {
		return plain
	}
	return name
}

// parsable encodes what may not stand in an address before url.Parse sees it. Otherwise
// one such character makes it decode the rest: "/a%2Fb c" would become "/a/b c".
func parsable(value string) string {
	end := strings.Index(value, "://")
	if end < 0 {
		return value
	}
	end += len("://")
	if n := strings.IndexAny(value[end:], "/?#"); n >= 0 {
		end += n
	} else {
		end = len(value)
	}
	rest, fragment, marked := strings.Cut(value[end:], "#")
	path, query, asked := strings.Cut(rest, "?")
	text := value[:end] + escaped(path)
	if asked {
		text += "?" + query
	}
	if marked {
		text += "#" + strings.ReplaceAll(escaped(fragment), "#", "%23")
	}
	return text
}

// escaped encodes what may not stand in a path, and each percent sign that begins no
// encoded byte: url.Parse refuses those, and browsers keep them.
func escaped(path string) string {
	var b strings.Builder
	for i, part := range strings.Split(encoded(path), "%") {
		if i > 0 {
			b.WriteByte('%')
			if len(part) < 2 || !isHex(part[0]) || !isHex(part[1]) {
				b.WriteString("25")
			}
		}
		b.WriteString(part)
	}
	return b.String()
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }

// encoded encodes what may not stand in a query, and leaves what is encoded already.
func encoded(query string) string {
	var b strings.Builder
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"<>\^`+"`{|}", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
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

// WithoutUsualPort returns a host as browsers write it: without the port that its
// scheme has by itself.
func WithoutUsualPort(scheme, host string) string {
	if usual := map[string]string{"http": ":80", "https": ":443"}[scheme]; usual != "" {
		return strings.TrimSuffix(host, usual)
	}
	return host
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
