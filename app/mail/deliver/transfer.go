package deliver

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strconv"
	"time"
)

// margin is what a mail needs to be of use after it has arrived.
const margin = time.Minute

// errNoDot means that we broke the session off ourselves before the final dot:
// the message was cancelled, or that it is about to be sent could not be kept.
var errNoDot = errors.New("broken off before the final dot")

// transfer offers the message. It always returns a result or an error. Of a
// server's codes the first digit counts (RFC 5321, 4.2.1).
func (c *conversation) transfer(e Envelope, now func() time.Time, beforeDot func() error) (*Result, error) {
	c.stage = AtFrom
	params := ""
	if size := c.size(); size > 0 && len(e.Body) > size {
		return &Result{Class: Permanent, Enhanced: "5.3.4", Text: fmt.Sprintf("the message has %d bytes, the server takes %d", len(e.Body), size)}, nil
	}
	if _, offered := c.offers["SIZE"]; offered {
		params += " SIZE=" + strconv.Itoa(len(e.Body))
	}
	if !ascii(e.From) || !ascii(e.To) {
		if _, offered := c.offers["SMTPUTF8"]; !offered {
			return &Result{Class: Permanent, Enhanced: "5.6.7", Text: "the address has letters beyond ASCII, and the server cannot take those"}, nil
		}
		params += " SMTPUTF8"
	} else if _, offered := c.offers["SMTPUTF8"]; offered && !ascii(header(e.Body)) {
		params += " SMTPUTF8" // RFC 6531, 3.4: for the header alone, too
	}
	// Mail of other apps may have letters beyond ASCII in it. A server that does not
	// say it takes them is sent them all the same: nearly all take them, and
	// another writing of them would break the app's own signature.
	if _, offered := c.offers["8BITMIME"]; offered && !ascii(string(e.Body)) {
		params += " BODY=8BITMIME"
	}
	r, err := c.command("MAIL FROM:"+path(e.From)+params, "", c.limits.Command)
	if err != nil || r.code/100 != 2 {
		return senderRefusal(r), err
	}
	c.stage = AtTo
	r, err = c.command("RCPT TO:"+path(e.To), "", c.limits.Command)
	if err != nil || r.code/100 != 2 {
		return recipientRefusal(r), err
	}
	if e.Dry {
		c.note(Step{Note: "this is a trial: nothing is sent"})
		return refusal(Sent, r), nil
	}
	c.stage = AtData
	if !now().Add(margin).Before(e.NotAfter) {
		return &Result{Class: Expired, Text: "it would have come too late"}, nil
	}
	r, err = c.command("DATA", "", c.limits.Command)
	if err != nil || r.code/100 != 3 {
		return recipientRefusal(r), err
	}
	if err := c.body(e.Body); err != nil {
		return nil, err
	}
	if err := beforeDot(); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoDot, err)
	}
	c.stage = AtDot
	// The message has gone: not to hear the answer is to send it twice.
	c.expires = time.Now().Add(c.limits.Dot)
	r, err = c.command(".", "", c.limits.Dot)
	if err != nil {
		return nil, err
	}
	if r.code/100 == 2 {
		c.taken++
		return refusal(Sent, r), nil
	}
	return recipientRefusal(r), nil
}

// refusal is a result that says what the server said.
func refusal(class Class, r reply) *Result {
	return &Result{Class: class, Code: r.code, Enhanced: r.enhanced, Text: r.text()}
}

// senderRefusal is about us, not about the recipient: 5xx is for the queue to
// count. 530 means that a login was due, 552 that the announced size is too large
// (RFC 1870, 6.1).
func senderRefusal(r reply) *Result {
	switch r.code {
	case 530:
		return refusal(Paused, r)
	case 552:
		return refusal(Permanent, r)
	}
	return refusal(Temporary, r)
}

// recipientRefusal is believed by the first digit alone: enhanced codes
// contradict it too often.
func recipientRefusal(r reply) *Result {
	switch {
	case r.code == 530:
		return refusal(Paused, r)
	case r.code >= 500:
		return refusal(Permanent, r)
	}
	return refusal(Temporary, r)
}

func (c *conversation) finished(r Result) Result {
	r.Stage, r.TLS, r.RemoteIP = c.stage, c.tls, remoteIP(c)
	r.Text = scrub(r.Text, c.hidden)
	return r
}

// broken is the result of a session in which the server said nothing to the
// point: it is gone, it is too slow, or it is not what it should be.
func (c *conversation) broken(e Envelope, err error) Result {
	r := Result{Class: Temporary, Err: err, Text: brokenText(err)}
	if c.stage == AtDot {
		r.Class = Ambiguous
	}
	var timeout net.Error
	if e.Attempt == 1 && !e.Patient && c.raw != nil && errors.As(err, &timeout) && timeout.Timeout() {
		r.Impatient = true
		r.Text = "the server did not answer in time; the next try gives it longer"
	}
	c.hidden = e.To
	return c.finished(r)
}

func brokenText(err error) string {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.As(err, &unknown):
		return "the server's certificate is not signed by an authority this machine trusts (mail.ca_file can name one)"
	case errors.As(err, &name):
		return "the server's certificate is for another name: " + name.Error()
	case errors.As(err, &invalid):
		return "the server's certificate is not valid: " + invalid.Error()
	case errors.As(err, &record):
		return "the server does not speak TLS on this port"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "the server did not answer in time"
	case errors.Is(err, net.ErrClosed):
		return "the session was ended: it took too long, or this server is stopping"
	}
	return err.Error()
}

func remoteIP(c *conversation) string {
	if c.conn == nil {
		return ""
	}
	host, _, err := net.SplitHostPort(c.conn.RemoteAddr().String())
	if err != nil {
		return ""
	}
	return host
}

// header is that of a message, for all but its end.
func header(message []byte) string {
	head, _, _ := bytes.Cut(message, []byte("\r\n\r\n"))
	return string(head)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// path writes an address as SMTP does, with quotes around a local part that needs them
// (RFC 5321, 4.1.2). The sender of a bounce is empty.
func path(address string) string {
	if address == "" {
		return "<>"
	}
	return (&mail.Address{Address: address}).String()
}
