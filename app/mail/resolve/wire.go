package resolve

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// pack writes a question with EDNS0 (RFC 6891) that asks for validation.
func pack(q question) (packet []byte, id uint16, err error) {
	name, err := dnsmessage.NewName(q.name + ".")
	if err != nil {
		return nil, 0, err
	}
	id = uint16(rand.Uint32())
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: id, RecursionDesired: true, AuthenticData: true})
	var edns dnsmessage.ResourceHeader
	err = errors.Join(
		b.StartQuestions(),
		b.Question(dnsmessage.Question{Name: name, Type: q.kind, Class: dnsmessage.ClassINET}),
		b.StartAdditionals(),
		edns.SetEDNS0(udpSize, dnsmessage.RCodeSuccess, true),
		b.OPTResource(edns, dnsmessage.OPTResource{}),
	)
	if err != nil {
		return nil, 0, err
	}
	packet, err = b.Finish()
	return packet, id, err
}

var errNotOurs = errors.New("not the answer to our question")

// unpack reads the answer to q. Signatures and what stands beside the answer
// are left out.
func unpack(packet []byte, id uint16, q question) (*dnsmessage.Message, error) {
	var p dnsmessage.Parser
	header, err := p.Start(packet)
	if err != nil {
		return nil, err
	}
	m := &dnsmessage.Message{Header: header}
	if m.Questions, err = p.AllQuestions(); err != nil {
		return nil, err
	}
	if header.ID != id || !header.Response || len(m.Questions) != 1 || m.Questions[0].Type != q.kind || !strings.EqualFold(nameOf(m), q.name) {
		return nil, errNotOurs
	}
	if header.Truncated {
		return m, nil
	}
	m.Answers, err = p.AllAnswers()
	return m, err
}

// overTCP asks over TCP, where each message has its length before it (RFC 1035,
// 4.2.2).
func overTCP(conn net.Conn, packet []byte, id uint16, q question) (*dnsmessage.Message, error) {
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)); err != nil {
		return nil, err
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	answer := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, answer); err != nil {
		return nil, err
	}
	m, err := unpack(answer, id, q)
	if err != nil {
		return nil, fmt.Errorf("over TCP: %w", err)
	}
	if m.Truncated {
		return nil, errNotOurs
	}
	return m, nil
}
