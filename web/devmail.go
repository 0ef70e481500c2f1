package web

import (
	"io"
	"net/http"
	"net/netip"
	"os"

	"gatelodge/app/mail/outbox"
)

// devMail reports whether a request may read captured mail, which holds links
// that sign in as anybody: a program of the same user as ours (or of root) on
// this machine may, at a loopback address, while that is the address people see.
// A proxy on this machine makes the whole world look local; it bears its marks,
// or at least runs as another user.
func (s *Server) devMail(r *http.Request) bool {
	host, _ := splitHost(r.Host)
	originHost, _ := splitHost(s.Origin.Host)
	if !s.Outbox.Capture || !loopbackName(originHost) || !loopbackName(host) || forwarded(r) {
		return false
	}
	// Fails for a Unix socket, behind which there is always a proxy.
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return false
	}
	uid, err := peerUser(peer)
	return err == nil && (uid == os.Getuid() || uid == 0)
}

func (s *Server) getDevMail(w http.ResponseWriter, r *http.Request) error {
	if !s.devMail(r) {
		return errNotFound
	}
	list, err := s.Outbox.Captured(r.Context())
	if err != nil {
		return err
	}
	a := s.cookies.readLogin(r)
	page := DevMailPage{Layout: s.layout(r), Notice: s.notice(r, &a)}
	if page.Notice != "" {
		if err := s.cookies.saveLogin(w, a); err != nil {
			return err
		}
	}
	for _, m := range list {
		page.Messages = append(page.Messages, devMailOf(m))
	}
	return s.render(w, r, http.StatusOK, "dev-mail.html", page)
}

func devMailOf(m outbox.Message) DevMail {
	return DevMail{ID: m.ID, To: m.Rcpt, Subject: m.Subject, At: m.CreatedAt, Link: m.Link}
}

// postDevMail empties the inbox.
func (s *Server) postDevMail(w http.ResponseWriter, r *http.Request) error {
	if !s.devMail(r) {
		return errNotFound
	}
	if _, err := s.Outbox.Empty(r.Context()); err != nil {
		return err
	}
	a := s.cookies.readLogin(r)
	a.Notice = "devmail.emptied"
	if err := s.cookies.saveLogin(w, a); err != nil {
		return err
	}
	return s.redirect(w, r, "/dev/mail")
}

func (s *Server) getDevMessage(w http.ResponseWriter, r *http.Request) error {
	if !s.devMail(r) {
		return errNotFound
	}
	m, err := s.Outbox.Message(r.Context(), param(r, "id"))
	if err != nil {
		return err
	}
	page := DevMailMessagePage{Layout: s.layout(r), Message: devMailOf(m), Source: r.URL.Query().Has("source"), Body: m.Text}
	if page.Source {
		page.Body = m.Source
	}
	return s.render(w, r, http.StatusOK, "dev-message.html", page)
}

// mailPolicy lets a mail keep its inline style and nothing else.
const mailPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-top-navigation allow-popups"

func (s *Server) getDevHTML(w http.ResponseWriter, r *http.Request) error {
	if !s.devMail(r) {
		return errNotFound
	}
	m, err := s.Outbox.Message(r.Context(), param(r, "id"))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", mailPolicy)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, m.HTML) // whoever asked has gone away
	}
	return nil
}
