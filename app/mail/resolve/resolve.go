// Package resolve asks DNS what delivering mail needs to know and the standard
// library does not tell: whether an answer was validated, whether a name does
// not exist or the server merely failed, and how long the answer holds.
//
// It is a stub: it asks recursive resolvers and believes their validation only
// when they run on this machine, for anything between us could forge it.
package resolve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// What a question can come to besides an answer.
var (
	// ErrNoName means the name does not exist.
	ErrNoName = errors.New("there is no such name")
	// ErrFailed means nobody could tell: the servers failed, were silent, or
	// the answer was forged. Ask again later.
	ErrFailed = errors.New("DNS did not answer")
)

// TypeTLSA is the type of the records of DANE (RFC 6698).
const TypeTLSA dnsmessage.Type = 52

const (
	tryFor     = 2 * time.Second // one try at one server
	rounds     = 2               // tries at each server
	maxChain   = 8               // CNAMEs in a row
	maxServers = 3
	maxCached  = 1000
	maxTTL     = 5 * time.Minute // a domain that moves is noticed within that
	missTTL    = 30 * time.Second
	udpSize    = 1232 // passes every path unfragmented (DNS flag day 2020)
)

// Resolver asks. Make it with New.
type Resolver struct {
	// TrustAD believes the validation of servers on other machines too: for a
	// resolver that nobody can come between.
	TrustAD bool

	servers []string
	now     func() time.Time

	mu    sync.Mutex
	cache map[question]cached
}

type question struct {
	name string
	kind dnsmessage.Type
}

type cached struct {
	answer Answer
	err    error
	until  time.Time
}

// Answer is what DNS says. No records means that the name has none of that type.
type Answer struct {
	Records []dnsmessage.ResourceBody
	// Secure says that a resolver that is trusted validated every part of it.
	Secure bool
	// Name is the name at the end of the chain of CNAMEs, without its last dot.
	Name string
	ttl  time.Duration
}

// New returns a resolver that asks server, an address with port, or, when that
// is "", those that the system is set up with.
func New(server string, now func() time.Time) *Resolver {
	r := &Resolver{now: now, cache: make(map[question]cached)}
	if server != "" {
		r.servers = []string{server}
	} else {
		r.servers = systemServers("/etc/resolv.conf")
	}
	return r
}

// systemServers reads the resolvers of the system, as resolv.conf(5) lists them.
func systemServers(path string) []string {
	text, err := os.ReadFile(path)
	if err != nil {
		return []string{"127.0.0.1:53"} // what resolv.conf(5) says of a missing file
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "nameserver" || len(list) == maxServers {
			continue
		}
		if ip, err := netip.ParseAddr(words[1]); err == nil {
			list = append(list, netip.AddrPortFrom(ip, 53).String())
		}
	}
	if list == nil {
		return []string{"127.0.0.1:53"}
	}
	return list
}

// Servers returns the addresses that are asked.
func (r *Resolver) Servers() []string { return slices.Clone(r.servers) }

// forwarder is the resolver that Docker puts into a container: it looks local,
// but hands on what some other machine says without validating it.
var forwarder = netip.AddrFrom4([4]byte{127, 0, 0, 11})

// trusts reports whether validation by a server is believed.
func (r *Resolver) trusts(server string) bool {
	at, err := netip.ParseAddrPort(server)
	return r.TrustAD || err == nil && at.Addr().Unmap().IsLoopback() && at.Addr().Unmap() != forwarder
}

// Lookup asks for the records of one type. It follows CNAMEs. The error is
// ErrNoName, ErrFailed or that of ctx.
func (r *Resolver) Lookup(ctx context.Context, name string, kind dnsmessage.Type) (Answer, error) {
	q := question{strings.ToLower(strings.TrimSuffix(name, ".")), kind}
	r.mu.Lock()
	hit, ok := r.cache[q]
	r.mu.Unlock()
	if ok && r.now().Before(hit.until) {
		return hit.answer, hit.err
	}
	answer, err := r.follow(ctx, q)
	ttl := answer.ttl
	switch {
	case errors.Is(err, ErrNoName), err == nil && len(answer.Records) == 0:
		ttl = missTTL
	case err != nil:
		return Answer{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.cache) >= maxCached {
		clear(r.cache)
	}
	r.cache[q] = cached{answer, err, r.now().Add(min(ttl, maxTTL))}
	return answer, err
}

// Forget empties the cache, for those who look whether a change has arrived.
func (r *Resolver) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.cache)
}

// follow asks until the end of the chain of CNAMEs. A recursive resolver
// follows it for us, mostly; what it left is asked for.
func (r *Resolver) follow(ctx context.Context, q question) (Answer, error) {
	all := Answer{Secure: true, ttl: maxTTL, Name: q.name}
	for links := 0; ; {
		m, secure, err := r.ask(ctx, question{all.Name, q.kind})
		if err != nil {
			return Answer{}, err
		}
		all.Secure = all.Secure && secure
		for from := ""; from != all.Name; {
			from = all.Name
			if links > maxChain {
				return Answer{}, fmt.Errorf("%w: more than %d CNAMEs from %s", ErrFailed, maxChain, shown(q.name))
			}
			if all.take(m, q.kind) {
				links++
			}
		}
		switch {
		case len(all.Records) > 0:
			return all, nil
		case m.RCode == dnsmessage.RCodeNameError:
			return Answer{}, fmt.Errorf("%s: %w", shown(all.Name), ErrNoName)
		case strings.EqualFold(all.Name, nameOf(m)):
			return all, nil
		}
	}
}

// take moves the records of m for the name into a, or, when there is a CNAME
// instead, goes on to where it points and reports so.
func (a *Answer) take(m *dnsmessage.Message, kind dnsmessage.Type) (moved bool) {
	for _, rr := range m.Answers {
		if !strings.EqualFold(bare(rr.Header.Name), a.Name) || rr.Header.Class != dnsmessage.ClassINET {
			continue
		}
		ttl := time.Duration(rr.Header.TTL) * time.Second
		switch body := rr.Body.(type) {
		case *dnsmessage.CNAMEResource:
			if kind == dnsmessage.TypeCNAME {
				a.Records = append(a.Records, body)
				break
			}
			a.Name, a.ttl = strings.ToLower(bare(body.CNAME)), min(a.ttl, ttl)
			return true
		default:
			if rr.Header.Type == kind {
				a.Records, a.ttl = append(a.Records, body), min(a.ttl, ttl)
			}
		}
	}
	return false
}

func nameOf(m *dnsmessage.Message) string {
	if len(m.Questions) == 0 {
		return ""
	}
	return bare(m.Questions[0].Name)
}

func bare(n dnsmessage.Name) string { return strings.TrimSuffix(n.String(), ".") }

// ask puts one question to each server until one answers.
func (r *Resolver) ask(ctx context.Context, q question) (*dnsmessage.Message, bool, error) {
	packet, id, err := pack(q)
	if err != nil {
		// A name that DNS cannot hold does not exist.
		return nil, false, fmt.Errorf("%s: %w (%w)", shown(q.name), ErrNoName, err)
	}
	why := errors.New("no server is known")
	for range rounds {
		for _, server := range r.servers {
			m, err := exchange(ctx, "udp", server, packet, id, q)
			if err == nil && m.Truncated {
				m, err = exchange(ctx, "tcp", server, packet, id, q)
			}
			if ctx.Err() != nil {
				return nil, false, fmt.Errorf("%s: %w: %w", shown(q.name), ErrFailed, ctx.Err())
			}
			switch {
			case err != nil:
				why = err
			case m.RCode == dnsmessage.RCodeSuccess, m.RCode == dnsmessage.RCodeNameError:
				return m, m.AuthenticData && r.trusts(server), nil
			default:
				why = fmt.Errorf("%s says %s", server, strings.TrimPrefix(m.RCode.String(), "RCode"))
			}
		}
	}
	return nil, false, fmt.Errorf("%s: %w: %w", shown(q.name), ErrFailed, why)
}

// shown is a name as errors give it: that of the root is a dot.
func shown(name string) string {
	if name == "" {
		return "."
	}
	return name
}

// exchange sends a question and waits for its answer.
func exchange(ctx context.Context, network, server string, packet []byte, id uint16, q question) (*dnsmessage.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, tryFor)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if network == "tcp" {
		return overTCP(conn, packet, id, q)
	}
	if _, err := conn.Write(packet); err != nil {
		return nil, err
	}
	buf := make([]byte, udpSize)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, err
		}
		// What is not the answer may be forged: keep waiting for the true one.
		if m, err := unpack(buf[:n], id, q); err == nil {
			return m, nil
		}
	}
}
