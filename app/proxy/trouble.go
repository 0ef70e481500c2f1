package proxy

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"
)

// maxTroubles bounds what is remembered, and so what is logged.
const maxTroubles = 20

// Trouble is a header of a trusted proxy that could not be read.
type Trouble struct {
	Proxy  netip.Addr
	Header string
	Text   string // what is wrong, for the operator
	Fix    string // what to change in the proxy
	At     time.Time
}

// cause is a kind of Trouble.
type cause struct{ header, text, fix string }

// What can be wrong.
var (
	unreadableFor = &cause{
		"X-Forwarded-For", "the proxy %s sends an X-Forwarded-For that is no address: everyone behind it counts as one client and shares its limits",
		"have the proxy send the client's address: nginx with \"proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for\", Apache and Caddy do it by default",
	}
	absent = &cause{
		"X-Forwarded-For", "the proxy %s sends no X-Forwarded-For: everyone behind it counts as one client and shares its limits",
		"have the proxy send X-Forwarded-For, which is the only header that is read for this: nginx with \"proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for\"",
	}
	unreadableHost = &cause{
		"X-Forwarded-Host", "the proxy %s sends an X-Forwarded-Host that is no host: apps are then recognized by the Host header alone",
		"have the proxy send the host that people open: nginx with \"proxy_set_header X-Forwarded-Host $host\"",
	}
)

// troubles are the causes that were met, each once.
type troubles struct {
	mu   sync.Mutex
	list []Trouble
}

// trouble remembers and logs a cause the first time that a proxy gives it. entry is the
// text that could not be read.
func (p *Reader) trouble(from netip.Addr, c *cause, entry string) {
	t := &p.troubles
	t.mu.Lock()
	defer t.mu.Unlock()
	text := fmt.Sprintf(c.text, from)
	at := p.now()
	if n := slices.IndexFunc(t.list, func(known Trouble) bool { return known.Text == text }); n >= 0 {
		t.list[n].At = at
		return
	}
	if len(t.list) >= maxTroubles {
		return
	}
	t.list = append(t.list, Trouble{Proxy: from, Header: c.header, Text: text, Fix: c.fix, At: at})
	p.log.Warn(text, "header", c.header, "entry", strconv.QuoteToASCII(entry[:min(len(entry), 60)]), "hint", c.fix)
}

// Troubles returns the headers of trusted proxies that could not be read in this run,
// with the time of the latest one.
func (p *Reader) Troubles() []Trouble {
	p.troubles.mu.Lock()
	defer p.troubles.mu.Unlock()
	return slices.Clone(p.troubles.list)
}
