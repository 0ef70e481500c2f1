package proxy_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"gatelodge/app/proxy"
)

// reader is one that trusts loopback and 10/8, and its log.
func reader() (*proxy.Reader, *bytes.Buffer) {
	var log bytes.Buffer
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	return proxy.New(trusted, "auth.home.example:8443", time.Now, slog.New(slog.NewTextHandler(&log, nil))), &log
}

// request is one from a peer, with the lines of a header.
func request(peer, name string, lines ...string) *http.Request {
	r := &http.Request{RemoteAddr: peer, Host: "auth.home.example", Header: make(http.Header)}
	for _, line := range lines {
		r.Header.Add(name, line)
	}
	return r
}

func TestAddressesAsProxiesWriteThem(t *testing.T) {
	t.Parallel()
	const proxied = "127.0.0.1:4000"
	for name, tt := range map[string]struct {
		peer     string
		lines    []string
		want     string
		troubled bool
	}{
		"bare":                       {proxied, []string{"203.0.113.9"}, "203.0.113.9", false},
		"with a port (Azure)":        {proxied, []string{"203.0.113.9:51234"}, "203.0.113.9", false},
		"with an empty port":         {proxied, []string{"203.0.113.9:"}, "203.0.113.9", false},
		"IPv6":                       {proxied, []string{"2001:db8::7"}, "2001:db8::7", false},
		"IPv6 in brackets":           {proxied, []string{"[2001:db8::7]"}, "2001:db8::7", false},
		"IPv6 with a port":           {proxied, []string{"[2001:db8::7]:443"}, "2001:db8::7", false},
		"IPv6 with a zone":           {proxied, []string{"[fe80::1%eth0]:443"}, "fe80::1", false},
		"IPv4 in IPv6, with a port":  {proxied, []string{"[::ffff:203.0.113.9]:443"}, "203.0.113.9", false},
		"in quotes":                  {proxied, []string{`"[2001:db8::7]:443"`}, "2001:db8::7", false},
		"an IPv4 in quotes":          {proxied, []string{`"203.0.113.9"`}, "203.0.113.9", false},
		"several lines":              {proxied, []string{"1.1.1.1", "203.0.113.9:1", "10.0.0.2:2"}, "203.0.113.9", false},
		"empty entries":              {proxied, []string{"", "203.0.113.9,,", ","}, "203.0.113.9", false},
		"spaces and tabs":            {proxied, []string{" 1.1.1.1 ,\t203.0.113.9\t"}, "203.0.113.9", false},
		"a trusted one with a port":  {proxied, []string{"203.0.113.9:9, 10.0.0.2:443"}, "203.0.113.9", false},
		"a lie to the left":          {proxied, []string{"127.0.0.1, unknown, 203.0.113.9:9"}, "203.0.113.9", false},
		"a peer that is not trusted": {"192.0.2.1:5", []string{"203.0.113.9"}, "192.0.2.1", false},
		"and sends nonsense":         {"192.0.2.1:5", []string{"unknown"}, "192.0.2.1", false},
		"a Unix socket":              {"@", []string{"203.0.113.9:9"}, "203.0.113.9", false},
		"no header":                  {proxied, nil, "127.0.0.1", false},

		"unknown":                      {proxied, []string{"unknown"}, "127.0.0.1", true},
		"unknown before a trusted one": {proxied, []string{"unknown, 10.0.0.2"}, "10.0.0.2", true},
		"obfuscated":                   {proxied, []string{"_hidden"}, "127.0.0.1", true},
		"obfuscated, with a port":      {proxied, []string{"_SEVKISEK:_x"}, "127.0.0.1", true},
		"an obfuscated port":           {proxied, []string{"203.0.113.9:_x"}, "127.0.0.1", true},
		"a port out of range":          {proxied, []string{"203.0.113.9:99999"}, "127.0.0.1", true},
		"the other header's syntax":    {proxied, []string{"for=203.0.113.9"}, "127.0.0.1", true},
		"a name":                       {proxied, []string{"client.example"}, "127.0.0.1", true},
		"half an address":              {proxied, []string{"203.0.113"}, "127.0.0.1", true},
		"no address":                   {proxied, []string{"0.0.0.0"}, "127.0.0.1", true},
		"an escape":                    {proxied, []string{"\x1b[31m203.0.113.9"}, "127.0.0.1", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, log := reader()
			r := request(tt.peer, "X-Forwarded-For", tt.lines...)
			if got := p.Client(r).String(); got != tt.want {
				t.Errorf("the client is %s, want %s", got, tt.want)
			}
			if got := len(p.Troubles()) > 0; got != tt.troubled || got != (log.Len() > 0) || strings.Contains(log.String(), "\x1b") {
				t.Errorf("troubles %v, log %q", p.Troubles(), log)
			}
		})
	}
}

// Every request of a proxy has the same fault: one line in the log is enough, and
// strangers cannot fill it.
func TestATroubleIsLoggedOnceForEachCause(t *testing.T) {
	t.Parallel()
	p, log := reader()
	for _, entry := range []string{"unknown", "unknown", "_a", "_b", "nonsense"} {
		p.Client(request("127.0.0.1:1", "X-Forwarded-For", entry))
		p.Client(request("10.0.0.2:1", "X-Forwarded-For", entry))
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 2 || !strings.Contains(log.String(), "proxy_set_header X-Forwarded-For") {
		t.Errorf("%d lines:\n%s", n, log)
	}
	for n := range 200 {
		p.Client(request(netip.AddrFrom4([4]byte{10, 1, 0, byte(n)}).String()+":1", "X-Forwarded-For", "unknown"))
	}
	if n := strings.Count(log.String(), "level=WARN"); n > 20 || n != len(p.Troubles()) {
		t.Errorf("%d lines, %d troubles", n, len(p.Troubles()))
	}
}

// Forwarded is not read, nor X-Real-IP: a proxy that sends nothing else has to be told.
func TestAProxyThatSendsAnotherHeaderIsNamed(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{"Forwarded": "for=203.0.113.9", "X-Real-Ip": "203.0.113.9", "X-Forwarded-Proto": "https"} {
		p, _ := reader()
		r := request("127.0.0.1:1", name, value)
		if got := p.Client(r).String(); got != "127.0.0.1" {
			t.Errorf("%s: the client is %s", name, got)
		}
		if list := p.Troubles(); len(list) != 1 || !strings.Contains(list[0].Text, "sends no X-Forwarded-For") {
			t.Errorf("%s: %v", name, list)
		}
		if p.Local(r) {
			t.Errorf("%s: a client of a proxy counts as local", name)
		}
	}
	p, _ := reader()
	if !p.Local(request("[::1]:1", "Accept", "*/*")) || p.Local(request("192.0.2.1:1", "Accept", "*/*")) {
		t.Error("local is not what it was")
	}
}

func TestHostsThatARequestMayBeFor(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		peer, chain, host string
		named             []string
		want              string
	}{
		"none":                      {"127.0.0.1:1", "", "Wiki.Home.Example.:443", nil, "wiki.home.example:443"},
		"one":                       {"127.0.0.1:1", "", "auth.home.example", []string{"WIKI.home.example."}, "wiki.home.example auth.home.example"},
		"with a port":               {"127.0.0.1:1", "", "x", []string{"wiki.home.example:443"}, "wiki.home.example:443 x"},
		"a stranger's":              {"192.0.2.1:1", "", "x", []string{"wiki.home.example"}, "x"},
		"the nearest proxy's first": {"127.0.0.1:1", "", "x", []string{"wiki.home.example, evil.example"}, "evil.example x"},
		"two lines":                 {"127.0.0.1:1", "", "x", []string{"wiki.home.example", "evil.example"}, "evil.example x"},
		"behind an address":         {"127.0.0.1:1", "", "10.0.0.1:8080", []string{"wiki.home.example, 10.0.0.1:8080"}, "10.0.0.1:8080 wiki.home.example 10.0.0.1:8080"},
		"behind a short name":       {"127.0.0.1:1", "", "inner", []string{"evil.example, wiki.home.example, inner:8080"}, "inner:8080 wiki.home.example inner"},
		"behind our own":            {"127.0.0.1:1", "", "x", []string{"wiki.home.example, auth.home.example"}, "auth.home.example wiki.home.example x"},
		"a chain that is trusted":   {"127.0.0.1:1", "203.0.113.9, 10.0.0.2", "x", []string{"evil.example, wiki.home.example, inner.home.example"}, "inner.home.example wiki.home.example x"},
		"a chain that is not":       {"127.0.0.1:1", "10.0.0.2, 203.0.113.9", "x", []string{"wiki.home.example, inner.home.example"}, "inner.home.example x"},
		"IPv6":                      {"127.0.0.1:1", "", "[::1]:8080", []string{"[2001:DB8::1]:443"}, "[2001:db8::1]:443 [::1]:8080"},
		"no host":                   {"127.0.0.1:1", "", "x", []string{"wiki.home.example, https://evil.example/"}, "x"},
	} {
		p, _ := reader()
		r := request(tt.peer, "X-Forwarded-Host", tt.named...)
		r.Host = tt.host
		if tt.chain != "" {
			r.Header.Set("X-Forwarded-For", tt.chain)
		}
		if got := p.Hosts(r); !slices.Equal(got, strings.Fields(tt.want)) {
			t.Errorf("%s: got %v, want %s", name, got, tt.want)
		}
	}
}
