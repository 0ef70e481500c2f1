package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"gatelodge/app/challenge"
	"gatelodge/app/fault"
	"gatelodge/app/login"
)

// getLink opens a mailed link. In the browser that asked for it, it signs in at
// once. Anywhere else, and for HEAD and whatever only fetches ahead, it shows a
// page whose form does: mail scanners open links, and hold no cookie of ours.
func (s *Server) getLink(w http.ResponseWriter, r *http.Request) error {
	if taken, err := s.takeAsk(w, r); taken || err != nil {
		return err
	}
	a := s.cookies.readLogin(r)
	token := param(r, "token")
	// Looking only reads, so that scanners cost no write.
	k, err := s.Login.LookAt(r.Context(), &a.Login, token)
	if errors.Is(err, challenge.ErrUsed) && person(r) {
		return s.linkUsed(w, r, a, token, k, err)
	}
	if err != nil {
		return s.linkDone(w, r, a, token, login.Outcome{}, err)
	}
	if to, ok := s.belongs(&a, k, token); !ok {
		return s.leave(w, r, to, Target{Name: challenge.AppOf(k.Challenge)})
	}
	if k.SameBrowser && person(r) {
		out, err := s.Login.Follow(r.Context(), s.from(r), &a.Login, token, false, s.cookies.sessionToken(r))
		return s.linkDone(w, r, a, token, out, err)
	}
	page := s.confirmLink(r, k)
	if page.Problem = s.codeProblem(r, &a); page.Problem != "" || a.Browser == "" {
		a.Begin() // see begun
		if err := s.cookies.saveLogin(w, a); err != nil {
			return err
		}
	}
	return s.render(w, r, http.StatusOK, "confirm-link.html", page)
}

// belongs brings the attempt and the link to one App. A link that was asked for
// at an App's address, and comes by another way, is led there: to, unless ok.
func (s *Server) belongs(a *attempt, k login.Link, token string) (to string, ok bool) {
	name := challenge.AppOf(k.Challenge)
	switch {
	case name == "":
		a.AppLogin = nil
	case a.AppLogin == nil || a.AppLogin.App != name:
		to = "/"
		if app := s.Apps.Named(name); app != nil {
			to = app.Origins[0] + authBase + "callback/email?token=" + url.QueryEscape(token)
		}
		return to, false
	}
	return "", true
}

// person reports whether a GET looks like somebody who opens a page.
func person(r *http.Request) bool {
	if r.Method != http.MethodGet || strings.Contains(r.Header.Get("Sec-Purpose")+r.Header.Get("Purpose"), "prefetch") {
		return false
	}
	mode, dest := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	return (mode == "" || mode == "navigate") && (dest == "" || dest == "document")
}

func (s *Server) confirmLink(r *http.Request, k login.Link) ConfirmLinkPage {
	from := s.from(r)
	page := ConfirmLinkPage{
		Layout: s.layout(r), Email: k.Email, Device: k.Device, AskedAt: k.CreatedAt, IP: k.IP, SameNetwork: sameNetwork(k.IP, from.Network),
		Operator: k.IP == login.OperatorIP, AskCode: s.ConfirmCode && (k.IP != login.OperatorIP || k.Device != login.OperatorDevice), // that one was not mailed
	}
	if !page.AskCode {
		page.Code = k.Code
	}
	return page
}

// postLink signs in a browser that did not ask for the link, or voids the link
// for somebody who did not ask for it either.
func (s *Server) postLink(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	if err := s.keepsCookies(r); err != nil {
		return err
	}
	a := s.cookies.readLogin(r)
	token := param(r, "token")
	if r.PostForm.Get("no") != "" {
		if err := s.Login.CancelLink(r.Context(), s.from(r), &a.Login, token); err != nil {
			return s.linkDone(w, r, a, token, login.Outcome{}, err)
		}
		return s.render(w, r, http.StatusOK, "voided.html", VoidedPage{Layout: s.layout(r)})
	}
	k, err := s.Login.LookAt(r.Context(), &a.Login, token)
	used := errors.Is(err, challenge.ErrUsed)
	if used && r.PostForm.Get("code") == "" {
		return s.linkUsed(w, r, a, token, k, err)
	}
	if err != nil && !used {
		return s.linkDone(w, r, a, token, login.Outcome{}, err)
	}
	if to, ok := s.belongs(&a, k, token); !ok {
		return s.finish(w, r, to, Target{Name: challenge.AppOf(k.Challenge)})
	}
	if page := s.confirmLink(r, k); page.AskCode && !k.SameBrowser {
		return s.confirmByCode(w, r, a, token, page)
	}
	out, err := s.Login.Follow(r.Context(), s.from(r), &a.Login, token, true, s.cookies.sessionToken(r))
	return s.linkDone(w, r, a, token, out, err)
}

// confirmByCode asks for the digits of the same mail, where a button is not
// enough: some scanners press buttons.
func (s *Server) confirmByCode(w http.ResponseWriter, r *http.Request, a attempt, token string, page ConfirmLinkPage) error {
	out, err := s.Login.ConfirmByCode(r.Context(), s.from(r), &a.Login, token, r.PostForm.Get("code"), s.cookies.sessionToken(r))
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok || f.Field != "code" {
		return s.linkDone(w, r, a, token, out, err)
	}
	s.refused(r, f)
	if errors.Is(f, challenge.ErrCodeWrong) {
		return s.wrongCode(w, r, a, f, r.URL.EscapedPath())
	}
	setRetry(w, f)
	page.Problem = s.say(s.printer(r), f, "")
	return s.render(w, r, statusOf(f), "confirm-link.html", page)
}

// linkDone answers a link that was followed: in, or what became of it.
func (s *Server) linkDone(w http.ResponseWriter, r *http.Request, a attempt, token string, out login.Outcome, err error) error {
	f, ok := errors.AsType[*fault.Fault](err)
	kind := deadLink(err)
	if errors.Is(err, challenge.ErrCodeDead) || errors.Is(err, challenge.ErrCodeExpired) {
		kind = "expired"
	}
	if !ok || kind == "" {
		return s.proven(w, r, a, out, err)
	}
	s.refused(r, f)
	page := DeadLinkPage{Layout: s.layout(r), Kind: kind, Ref: s.ref(r, f)}
	// Whoever holds the token may know when; only the browser that typed the
	// address is shown it.
	if k, _ := s.Login.LookAt(r.Context(), &a.Login, token); k.ID != "" {
		page.At = k.EndedAt
		if kind == "expired" {
			page.At = k.ExpiresAt
		}
		if k.SameBrowser {
			page.Email = k.Email
		}
	}
	return s.render(w, r, statusOf(f), "dead-link.html", page)
}

// deadLink returns the word for a link that does not open, as the pages about one have
// it, or "" for another error.
func deadLink(err error) string {
	switch {
	case errors.Is(err, challenge.ErrUnknown):
		return "unknown"
	case errors.Is(err, challenge.ErrExpired):
		return "expired"
	case errors.Is(err, challenge.ErrUsed):
		return "used"
	case errors.Is(err, challenge.ErrSuperseded):
		return "superseded"
	case errors.Is(err, challenge.ErrCancelled):
		return "cancelled"
	}
	return ""
}
