package web

import (
	"io"
	"net/http"
	"net/netip"

	"gatelodge/app/fault"
	"gatelodge/app/mail/outbox"
	"gatelodge/app/proxy"
	"gatelodge/app/secret"
)

// errInboxKey means that a request for captured mail has no key, or an old one.
var errInboxKey = fault.New(fault.NotFound, "devmail.locked")

// inbox guards a page of captured mail, which shows links that sign in as any
// user. Access is by the key that is printed where the server runs, and by
// nothing that a request says about its sender: a proxy or a tunnel makes every
// visitor look local, and other users of this machine are local.
//
// A browser exchanges the key for a cookie, so that the key does not stay in
// the address.
func inbox(page func(*Server, http.ResponseWriter, *http.Request) error) func(*Server, http.ResponseWriter, *http.Request) error {
	return func(s *Server, w http.ResponseWriter, r *http.Request) error {
		if !s.hasInbox(r) {
			return errNotFound
		}
		w.Header()["Referrer-Policy"] = headerNoReferrer
		if r.Method != http.MethodPost && r.URL.Query().Has("key") {
			if !s.isInboxKey(r.URL.Query().Get("key")) {
				return errInboxKey
			}
			s.cookies.setInbox(w, s.InboxKey)
			return s.redirect(w, r, r.URL.EscapedPath())
		}
		if !s.isInboxKey(s.cookies.inbox(r)) {
			return errInboxKey
		}
		return page(s, w, r)
	}
}

func (s *Server) isInboxKey(given string) bool {
	return s.InboxKey != "" && secret.Equal([]byte(given), []byte(s.InboxKey))
}

// hasInbox reports whether there are pages of captured mail for a request: at a
// loopback address, while that is the address people use, and not through a
// proxy that can be recognized. This is no proof of anything; see inbox.
func (s *Server) hasInbox(r *http.Request) bool {
	host, _ := proxy.SplitHost(proxy.NormalHost(r.Host))
	originHost, _ := proxy.SplitHost(s.Origin.Host)
	if s.InboxKey == "" || !loopbackName(originHost) || !loopbackName(host) || proxy.Forwarded(r) {
		return false
	}
	// Fails for a Unix socket, behind which there is always a proxy.
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && peer.Addr().Unmap().IsLoopback()
}

func (s *Server) getDevMail(w http.ResponseWriter, r *http.Request) error {
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
