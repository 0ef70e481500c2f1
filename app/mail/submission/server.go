package submission

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"gatelodge/store"
)

const (
	// stepWithin bounds the wait for a command, and for more of a mail.
	stepWithin = 5 * time.Minute
	// mailWithin bounds a whole mail, however steadily it arrives: it has one of the
	// places where mails are read.
	mailWithin = 30 * time.Minute
	writeAfter = time.Minute
	// stopWithin is how long a stop waits for mail that is being handed over.
	stopWithin = 5 * time.Second
	// longestLine is the longest line read. A longer one ends the connection in the
	// middle of the mail. What a mail may have is less, and is said once it is read.
	longestLine = 512 << 10
)

// Server is the SMTP server. Make it with Listen.
type Server struct {
	service  *Service
	smtp     *smtp.Server
	listener *guard
	serves   net.Listener // the guard, or TLS over it
	stopping context.Context
	stop     context.CancelFunc
}

// Listen opens the port. The login goes over TLS alone, but from this machine
// to itself when address is of a loopback interface. With implicit, connections
// begin with TLS (RFC 8314, 3.3); else apps ask for it with STARTTLS.
func Listen(s *Service, address string, certificate *Certificate, implicit bool) (*Server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	server := &Server{service: s, listener: newGuard(l)}
	server.serves = server.listener
	if implicit {
		server.serves = tls.NewListener(server.listener, certificate.config())
	}
	server.stopping, server.stop = context.WithCancel(context.Background())
	server.smtp = smtp.NewServer(smtp.BackendFunc(server.begin))
	server.smtp.Domain = s.Host
	server.smtp.TLSConfig = certificate.config()
	server.smtp.MaxRecipients = MaxRecipients
	server.smtp.MaxMessageBytes = MaxBytes
	server.smtp.MaxLineLength = longestLine
	server.smtp.ReadTimeout, server.smtp.WriteTimeout = stepWithin, writeAfter
	server.smtp.EnableSMTPUTF8 = true
	server.smtp.ErrorLog = slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug)
	tcp, ok := l.Addr().(*net.TCPAddr)
	server.smtp.AllowInsecureAuth = ok && tcp.IP.IsLoopback()
	return server, nil
}

// Addr is where it listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Run serves until ctx ends or the port is lost, which it returns, then lets the
// mails that are being handed over come to their end.
func (s *Server) Run(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- s.smtp.Serve(s.serves) }()
	var lost error
	select {
	case lost = <-ended:
	case <-ctx.Done():
		// Nobody comes any more before those who are here are counted.
		s.listener.Close()
		<-ended
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	s.listener.closeIdle()
	// What is left is cut off: its mail was not acknowledged.
	if err := s.smtp.Shutdown(within); err != nil {
		s.listener.closeAll()
	}
	s.stop()
	return lost
}

// session is one connection. go-smtp makes a new one after STARTTLS, so that
// nothing said in clear counts.
type session struct {
	server *Server
	conn   *smtp.Conn
	ip     netip.Addr
	login  *store.SubmissionCredential
	envelope
}

func (s *Server) begin(c *smtp.Conn) (smtp.Session, error) {
	ip := addrOf(c.Conn())
	return &session{server: s, conn: c, ip: ip}, nil
}

func addrOf(c net.Conn) netip.Addr {
	if p, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
		return p.Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// AuthMechanisms lists how an app may log in.
func (s *session) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

// Auth begins a login.
func (s *session) Auth(mechanism string) (sasl.Server, error) {
	switch mechanism {
	case sasl.Plain:
		return sasl.NewPlainServer(func(identity, name, password string) error {
			if identity != "" && identity != name {
				return answer(errLogin)
			}
			return s.check(name, password)
		}), nil
	case sasl.Login:
		return &loginServer{check: s.check}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

func (s *session) check(name, password string) error {
	c, err := s.server.service.Login(s.server.stopping, networkOf(s.ip), s.ip.IsLoopback(), name, password)
	if err != nil {
		if errors.Is(err, errTooManyLogins) {
			s.server.listener.hangUp(s.conn.Conn())
		}
		return answer(s.server.service.refusal(err))
	}
	s.login = &c
	s.server.listener.loggedIn(s.conn.Conn())
	return nil
}

// networkOf is what failures count for: an address, or the network of an IPv6
// one, of which a guest has as many as it likes.
func networkOf(ip netip.Addr) string {
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}

// Reset forgets the mail under way, not the login.
func (s *session) Reset() { s.envelope = envelope{} }

// Logout ends the session.
func (s *session) Logout() error { return nil }

// Mail begins a mail.
func (s *session) Mail(from string, o *smtp.MailOptions) error {
	switch {
	case s.login == nil:
		return answer(ErrNoLogin)
	case s.from != "":
		// The library would keep the recipients that it counts and have us forget
		// ours: the mail would be taken for nobody.
		return answer(errNested)
	case o != nil && o.Size > int64(s.login.MaxBytes):
		return answer(ErrTooLarge)
	}
	service := s.server.service
	sender, err := service.sender(*s.login, from)
	if err == nil {
		err = service.room(s.server.stopping, *s.login)
	}
	if err != nil {
		return answer(service.refusal(err))
	}
	s.envelope = envelope{from: sender, utf8: o != nil && o.UTF8}
	return nil
}

// Rcpt adds a recipient.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.login == nil {
		return answer(ErrNoLogin)
	}
	if err := s.server.service.addRecipient(s.server.stopping, *s.login, &s.envelope, to); err != nil {
		return answer(s.server.service.refusal(err))
	}
	return nil
}

// Data takes the mail itself. It is kept when this returns nil.
func (s *session) Data(r io.Reader) error {
	if s.login == nil {
		return answer(ErrNoLogin)
	}
	leave, err := s.server.service.slots.enter(s.server.stopping, enterWithin)
	if err != nil {
		return answer(err)
	}
	defer leave()
	defer s.server.listener.busy(s.conn.Conn())()
	raw, err := io.ReadAll(io.LimitReader(arriving(r, s.conn.Conn()), int64(s.login.MaxBytes)+1))
	switch {
	case errors.Is(err, smtp.ErrTooLongLine):
		return answer(errLongLine)
	case errors.Is(err, smtp.ErrDataTooLarge):
		return answer(ErrTooLarge)
	case err != nil:
		return answer(refuse(451, 4, 4, 2, "the mail did not arrive whole"))
	}
	service := s.server.service
	_, err = service.accept(context.WithoutCancel(s.server.stopping), *s.login, s.envelope, raw, origin{s.conn.Hostname(), s.ip, s.protocol()})
	if err != nil {
		return answer(service.refusal(err))
	}
	return nil
}

// arriving reads a mail from a connection. Each part of it has stepWithin, so that a slow
// one arrives, and the whole has mailWithin.
func arriving(r io.Reader, conn net.Conn) io.Reader {
	return &arrival{r, conn, time.Now().Add(mailWithin)}
}

type arrival struct {
	io.Reader
	conn net.Conn
	last time.Time
}

func (a *arrival) Read(b []byte) (int, error) {
	until := time.Now().Add(stepWithin)
	if until.After(a.last) {
		until = a.last
	}
	if err := a.conn.SetReadDeadline(until); err != nil {
		return 0, err
	}
	return a.Reader.Read(b)
}

// protocol is the name, for Received, of how the mail comes (RFC 3848, RFC 6531,
// 4.3).
func (s *session) protocol() string {
	name := "ESMTP"
	if s.utf8 {
		name = "UTF8SMTP"
	}
	if _, secure := s.conn.TLSConnectionState(); secure {
		name += "S"
	}
	return name + "A"
}

// answer puts a refusal into the words of the library, which would show any
// other error to the app as it is.
func answer(err error) error {
	var r *Refusal
	if !errors.As(err, &r) {
		r = errBroken
	}
	return &smtp.SMTPError{Code: r.Code, EnhancedCode: smtp.EnhancedCode(r.Enhanced), Message: r.Text}
}

// loginServer speaks AUTH LOGIN, which some apps still have nothing better than.
type loginServer struct {
	check func(name, password string) error
	name  string
	asked int
}

// Next asks for the name, then for the password.
func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if l.asked == 0 && response == nil {
		l.asked = 1
		return []byte("Username:"), false, nil
	}
	if l.asked < 2 {
		l.asked, l.name = 2, string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.name, string(response))
}
