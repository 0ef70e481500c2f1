package mailtest

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// DNS is a resolver that answers what a test has set, on this machine.
type DNS struct {
	Address string

	mu       sync.Mutex
	zone     map[string][]dnsmessage.Resource // by name and type
	names    map[string]bool                  // that exist
	fails    map[string]bool                  // SERVFAIL, by name and type or by name
	hushed   map[string]bool                  // not answered for, by name
	silent   bool
	secure   bool
	unsigned map[string]bool // names in zones without DNSSEC
	asked    []string
}

// ServeDNS runs one until the test ends.
func ServeDNS(t testing.TB) *DNS {
	t.Helper()
	d := &DNS{zone: make(map[string][]dnsmessage.Resource), names: make(map[string]bool), fails: make(map[string]bool), hushed: make(map[string]bool), unsigned: make(map[string]bool)}
	udp, tcp := listenBoth(t)
	d.Address = udp.LocalAddr().String()
	var running sync.WaitGroup
	running.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := udp.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer := d.answer(t, buf[:n], 1232); answer != nil {
				_, _ = udp.WriteTo(answer, from) // the asker may be gone
			}
		}
	})
	running.Go(func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			d.overTCP(t, conn)
			conn.Close()
		}
	})
	t.Cleanup(func() {
		udp.Close()
		tcp.Close()
		running.Wait()
	})
	return d
}

// listenBoth listens at one port for UDP and TCP.
func listenBoth(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	for try := 0; ; try++ {
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		tcp, err := net.Listen("tcp", udp.LocalAddr().String())
		if err == nil {
			return udp, tcp
		}
		udp.Close()
		if try == 20 {
			t.Fatal(err)
		}
	}
}

func (d *DNS) overTCP(t testing.TB, conn net.Conn) {
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return
	}
	question := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, question); err != nil {
		return
	}
	answer := d.answer(t, question, 65535)
	_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)) // the asker may be gone
}

func zoneKey(name string, kind dnsmessage.Type) string {
	return strings.ToLower(strings.TrimSuffix(name, ".")) + " " + kind.String()
}

// answer returns the answer to a packet, cut off at size.
func (d *DNS) answer(t testing.TB, packet []byte, size int) []byte {
	var q dnsmessage.Message
	var p dnsmessage.Parser
	header, err := p.Start(packet)
	if err != nil {
		return nil
	}
	if q.Questions, err = p.AllQuestions(); err != nil || len(q.Questions) != 1 {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	ask := q.Questions[0]
	name := strings.ToLower(strings.TrimSuffix(ask.Name.String(), "."))
	d.asked = append(d.asked, zoneKey(name, ask.Type))
	if d.silent || d.hushed[name] {
		return nil
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: header.ID, Response: true, RecursionAvailable: true, AuthenticData: d.secure},
		Questions: q.Questions,
	}
	for range 30 {
		m.AuthenticData = m.AuthenticData && !d.unsigned[name]
		if d.fails[name] || d.fails[zoneKey(name, ask.Type)] {
			m.RCode, m.Answers = dnsmessage.RCodeServerFailure, nil
			break
		}
		if rr := d.zone[zoneKey(name, ask.Type)]; rr != nil {
			m.Answers = append(m.Answers, rr...)
			break
		}
		alias := d.zone[zoneKey(name, dnsmessage.TypeCNAME)]
		if alias == nil {
			if !d.names[name] {
				m.RCode = dnsmessage.RCodeNameError
			}
			break
		}
		m.Answers = append(m.Answers, alias...)
		name = strings.TrimSuffix(alias[0].Body.(*dnsmessage.CNAMEResource).CNAME.String(), ".")
	}
	answer, err := m.Pack()
	if err == nil && len(answer) > size {
		m.Truncated, m.Answers = true, nil
		answer, err = m.Pack()
	}
	if err != nil {
		t.Errorf("the test's DNS could not answer %v: %v", ask, err)
	}
	return answer
}

func (d *DNS) add(name string, kind dnsmessage.Type, body dnsmessage.ResourceBody) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name = strings.ToLower(name)
	d.names[name] = true
	d.zone[zoneKey(name, kind)] = append(d.zone[zoneKey(name, kind)], dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name + "."), Type: kind, Class: dnsmessage.ClassINET, TTL: 1},
		Body:   body,
	})
}

// MX adds a mail server of a domain: "" for the null MX.
func (d *DNS) MX(domain string, preference uint16, host string) {
	d.add(domain, dnsmessage.TypeMX, &dnsmessage.MXResource{Pref: preference, MX: dnsmessage.MustNewName(host + ".")})
}

// A adds an address, of either family.
func (d *DNS) A(name, address string) {
	ip := netip.MustParseAddr(address)
	if ip.Is4() {
		d.add(name, dnsmessage.TypeA, &dnsmessage.AResource{A: ip.As4()})
		return
	}
	d.add(name, dnsmessage.TypeAAAA, &dnsmessage.AAAAResource{AAAA: ip.As16()})
}

// CNAME makes name another name of target.
func (d *DNS) CNAME(name, target string) {
	d.add(name, dnsmessage.TypeCNAME, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(target + ".")})
}

// PTR names an address under its reverse name.
func (d *DNS) PTR(reverse, name string) {
	d.add(reverse, dnsmessage.TypePTR, &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(name + ".")})
}

// TXT adds a text, in pieces of at most 255 bytes.
func (d *DNS) TXT(name, text string) {
	var pieces []string
	for len(text) > 255 {
		pieces, text = append(pieces, text[:255]), text[255:]
	}
	d.add(name, dnsmessage.TypeTXT, &dnsmessage.TXTResource{TXT: append(pieces, text)})
}

// TLSA adds a record of DANE for a port.
func (d *DNS) TLSA(host string, port int, usage, selector, matching byte, data []byte) {
	d.add(fmt.Sprintf("_%d._tcp.%s", port, host), 52, &dnsmessage.UnknownResource{Type: 52, Data: append([]byte{usage, selector, matching}, data...)})
}

// Remove takes every record of a name away, and the name.
func (d *DNS) Remove(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.names, name)
	for key := range d.zone {
		if strings.HasPrefix(key, name+" ") {
			delete(d.zone, key)
		}
	}
}

// Fail answers SERVFAIL for a name, or stops to.
func (d *DNS) Fail(name string, on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fails[name] = on
}

// FailType answers SERVFAIL for one type of a name's records.
func (d *DNS) FailType(name string, kind dnsmessage.Type) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fails[zoneKey(name, kind)] = true
}

// Hush answers nothing for a name.
func (d *DNS) Hush(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hushed[name] = true
}

// Silent answers nothing at all, or does again.
func (d *DNS) Silent(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.silent = on
}

// Secure says of all answers that DNSSEC vouches for them.
func (d *DNS) Secure() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.secure = true
}

// Unsigned puts a name into a zone without DNSSEC.
func (d *DNS) Unsigned(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unsigned[name] = true
}

// Asked returns the questions so far: name, space, type.
func (d *DNS) Asked() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.asked...)
}
