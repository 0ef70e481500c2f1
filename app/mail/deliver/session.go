package deliver

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// conversation is one connection to a server.
type conversation struct {
	raw     net.Conn // the connection beneath any TLS
	conn    net.Conn
	r       *bufio.Reader
	w       *bufio.Writer
	limits  Limits
	start   time.Time
	trace   func(Step)
	hidden  string            // what must not be shown of a server's words
	offers  map[string]string // keyword to parameters, of the last EHLO
	tls     string
	stage   string
	expires time.Time // of the whole session
	taken   int       // messages the server took on this connection
}

// open begins a conversation on a connection. The connection is closed when ctx
// ends, whatever it is waiting for, and by the function that is returned.
func open(ctx context.Context, conn net.Conn, limits Limits, trace func(Step)) (*conversation, func()) {
	c := &conversation{raw: conn, trace: trace, stage: AtGreeting}
	c.use(conn)
	stop := c.attach(ctx, limits)
	return c, func() {
		stop()
		c.conn.Close()
	}
}

// attach gives the conversation limits and lets it end with ctx, until the
// function that is returned is called: it reports whether that was in time.
func (c *conversation) attach(ctx context.Context, limits Limits) func() bool {
	c.start, c.limits = time.Now(), limits
	c.expires = c.start.Add(limits.Session)
	return context.AfterFunc(ctx, func() { c.raw.Close() })
}

// use moves the conversation to conn: the connection itself, or TLS over it.
func (c *conversation) use(conn net.Conn) {
	c.conn = conn
	c.r = bufio.NewReaderSize(conn, maxLine)
	c.w = bufio.NewWriter(conn)
}

// within sets the deadline of the next exchange, never past the session's.
func (c *conversation) within(d time.Duration) error {
	deadline := time.Now().Add(d)
	if deadline.After(c.expires) {
		deadline = c.expires
	}
	return c.conn.SetDeadline(deadline)
}

func (c *conversation) note(s Step) {
	if c.trace != nil {
		s.At = time.Since(c.start)
		c.trace(s)
	}
}

// command sends a line and reads the answer. shown is what the trace has of the
// line, "" for the line itself.
func (c *conversation) command(line, shown string, within time.Duration) (reply, error) {
	if strings.ContainsAny(line, "\r\n\x00") {
		return reply{}, errInjection
	}
	if err := c.within(within); err != nil {
		return reply{}, err
	}
	if shown == "" {
		shown = line
	}
	c.note(Step{Sent: shown})
	if _, err := c.w.WriteString(line + "\r\n"); err != nil {
		return reply{}, err
	}
	if err := c.w.Flush(); err != nil {
		return reply{}, err
	}
	return c.answer()
}

func (c *conversation) answer() (reply, error) {
	r, err := readReply(c.r)
	if errors.Is(err, errUnfinished) && c.stage == AtDot && r.code/100 == 2 {
		// The server took the message, whatever else it wanted to say: offered again,
		// it would arrive twice.
		c.note(Step{Received: r.String(), Note: err.Error()})
		c.taken = maxTaken
		return r, nil
	}
	if err != nil {
		c.note(Step{Note: "no answer: " + err.Error()})
		return reply{}, err
	}
	c.note(Step{Received: r.String()})
	return r, nil
}

// greet reads the server's first words.
func (c *conversation) greet() (reply, error) {
	if err := c.within(max(c.limits.Connect, c.limits.Greeting)); err != nil {
		return reply{}, err
	}
	return c.answer()
}

// hello names us and learns what the server offers.
func (c *conversation) hello(name string) (reply, error) {
	r, err := c.command("EHLO "+name, "", c.limits.Command)
	c.offers = make(map[string]string)
	if err == nil && (r.code == 500 || r.code == 502 || r.code == 504) {
		// It knows no extensions (RFC 5321, 3.2).
		return c.command("HELO "+name, "", c.limits.Command)
	}
	if err != nil || r.code != 250 {
		return r, err
	}
	for _, line := range r.lines[1:] {
		// Some old servers write AUTH=LOGIN.
		word, rest, _ := strings.Cut(strings.Replace(line, "AUTH=", "AUTH ", 1), " ")
		word = strings.ToUpper(word)
		c.offers[word] = strings.TrimSpace(c.offers[word] + " " + rest)
	}
	return r, nil
}

// handshake begins TLS on the connection, verified as config says. level, unless
// nil, says how well that protects.
func (c *conversation) handshake(ctx context.Context, config *tls.Config, level func(tls.ConnectionState) string) error {
	// What was sent in clear before the handshake could be somebody else's
	// words taken for the server's (CVE-2011-0411 and its many kin).
	if c.r.Buffered() > 0 {
		return errors.New("the server sent more than its answer before TLS began")
	}
	if err := c.within(c.limits.Command); err != nil {
		return err
	}
	conn := tls.Client(c.conn, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	c.use(conn)
	c.tls = tls.VersionName(conn.ConnectionState().Version)
	if level == nil {
		c.note(Step{Note: c.tls + ", certificate verified for " + config.ServerName})
		return nil
	}
	c.tls += ", " + level(conn.ConnectionState())
	c.note(Step{Note: c.tls})
	return nil
}

// size returns the largest message the server says it takes; 0 is "no limit".
func (c *conversation) size() int {
	n, err := strconv.Atoi(c.offers["SIZE"])
	if err != nil {
		return 0
	}
	return n
}

// body writes the message with its dots stuffed (RFC 5321, 4.5.2), but not the
// final dot. The server has to keep reading: each stretch has its own deadline.
func (c *conversation) body(b []byte) error {
	const stretch = 8 << 10
	written := 0
	for line := range strings.SplitAfterSeq(string(b), "\r\n") {
		if written == 0 {
			if err := c.within(c.limits.Command); err != nil {
				return err
			}
		}
		if strings.HasPrefix(line, ".") {
			line = "." + line
		}
		if _, err := c.w.WriteString(line); err != nil {
			return err
		}
		if written += len(line); written > stretch {
			written = 0
		}
	}
	if !strings.HasSuffix(string(b), "\r\n") {
		if _, err := c.w.WriteString("\r\n"); err != nil {
			return err
		}
	}
	if err := c.w.Flush(); err != nil {
		return err
	}
	c.note(Step{Note: fmt.Sprintf("%d bytes of message", len(b))})
	return nil
}

// quit takes leave. The message has been decided; nothing here matters.
func (c *conversation) quit() {
	_, err := c.command("QUIT", "", min(takesLeave, c.limits.Command))
	if err != nil {
		c.note(Step{Note: "the server did not answer QUIT, which does not matter"})
	}
}

var errInjection = errors.New("an address or name holds a line break")
