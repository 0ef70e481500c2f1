package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"gatelodge/app/challenge"
	"gatelodge/app/fault"
	"gatelodge/app/login"
	"gatelodge/web/shell"
)

// getLink opens a mailed link. In the browser that asked for it, it signs in at
// once. Anywhere else, and for HEAD and whatever only fetches ahead, it shows a
// page whose form does: mail scanners open links, and hold no cookie of ours.
func (s signInPages) getLink(q *shell.Request) error {
	if taken, err := s.takeAsk(q); taken || err != nil {
		return err
	}
	a := q.Attempt()
	token := q.Param("token")
	// Looking only reads, so that scanners cost no write.
	k, err := s.Login.LookAt(q.Context(), &a.Login, token)
	if errors.Is(err, challenge.ErrUsed) && person(q.Request) {
		return s.linkUsed(q, a, token, k, err)
	}
	if err != nil {
		return s.linkDone(q, a, token, login.Outcome{}, err)
	}
	if to, ok := s.belongs(&a, k, token); !ok {
		return q.Leave(to, Target{Name: s.Apps.Snapshot().NameOf(challenge.AppOf(k.Challenge))})
	}
	if k.SameBrowser && person(q.Request) {
		out, err := s.Login.Follow(q.Context(), q.From(), &a.Login, token, false, q.SessionToken())
		return s.linkDone(q, a, token, out, err)
	}
	page := s.confirmLink(q, k)
	if page.Problem = s.codeProblem(q, &a); page.Problem != "" || a.Browser == "" {
		a.Begin() // see begun
		if err := q.SaveAttempt(a); err != nil {
			return err
		}
	}
	return q.Render(http.StatusOK, "confirm-link.html", page)
}

// belongs brings the attempt and the link to one App. A link that was asked for
// at an App's address, and comes by another way, is led there: to, unless ok.
func (s signInPages) belongs(a *shell.Attempt, k login.Link, token string) (to string, ok bool) {
	id := challenge.AppOf(k.Challenge)
	switch {
	case id == "":
		a.AppLogin = nil
	case a.AppLogin == nil || a.AppLogin.App != id:
		to = "/"
		if app := s.Apps.Snapshot().ByID(id); app != nil {
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

func (s signInPages) confirmLink(q *shell.Request, k login.Link) ConfirmLinkPage {
	from := q.From()
	page := ConfirmLinkPage{
		Layout: q.Layout(), Email: k.Email, Device: k.Device, AskedAt: k.CreatedAt, IP: k.IP, SameNetwork: sameNetwork(k.IP, from.Network),
		Operator: k.IP == login.OperatorIP, AskCode: s.ConfirmCode && (k.IP != login.OperatorIP || k.Device != login.OperatorDevice), // that one was not mailed
	}
	if !page.AskCode {
		page.Code = k.Code
	}
	return page
}

// postLink signs in a browser that did not ask for the link, or voids the link
// for somebody who did not ask for it either.
func (s signInPages) postLink(q *shell.Request) error {
	if err := q.KeepsCookies(); err != nil {
		return err
	}
	a := q.Attempt()
	token := q.Param("token")
	if q.PostForm.Get("no") != "" {
		if err := s.Login.CancelLink(q.Context(), q.From(), &a.Login, token); err != nil {
			return s.linkDone(q, a, token, login.Outcome{}, err)
		}
		return q.Render(http.StatusOK, "voided.html", VoidedPage{Layout: q.Layout()})
	}
	k, err := s.Login.LookAt(q.Context(), &a.Login, token)
	used := errors.Is(err, challenge.ErrUsed)
	if used && q.PostForm.Get("code") == "" {
		return s.linkUsed(q, a, token, k, err)
	}
	if err != nil && !used {
		return s.linkDone(q, a, token, login.Outcome{}, err)
	}
	if to, ok := s.belongs(&a, k, token); !ok {
		return q.Finish(to, Target{Name: s.Apps.Snapshot().NameOf(challenge.AppOf(k.Challenge))})
	}
	if page := s.confirmLink(q, k); page.AskCode && !k.SameBrowser {
		return s.confirmByCode(q, a, token, page)
	}
	out, err := s.Login.Follow(q.Context(), q.From(), &a.Login, token, true, q.SessionToken())
	return s.linkDone(q, a, token, out, err)
}

// confirmByCode asks for the digits of the same mail, where a button is not
// enough: some scanners press buttons.
func (s signInPages) confirmByCode(q *shell.Request, a shell.Attempt, token string, page ConfirmLinkPage) error {
	out, err := s.Login.ConfirmByCode(q.Context(), q.From(), &a.Login, token, q.PostForm.Get("code"), q.SessionToken())
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok || f.Field != "code" {
		return s.linkDone(q, a, token, out, err)
	}
	if errors.Is(f, challenge.ErrCodeWrong) {
		return s.wrongCode(q, a, f, q.URL.EscapedPath())
	}
	page.Problem = q.Say(f)
	return q.Refuse(f, "confirm-link.html", page)
}

// linkDone answers a link that was followed: in, or what became of it.
func (s signInPages) linkDone(q *shell.Request, a shell.Attempt, token string, out login.Outcome, err error) error {
	f, ok := errors.AsType[*fault.Fault](err)
	kind := deadLink(err)
	if errors.Is(err, challenge.ErrCodeDead) || errors.Is(err, challenge.ErrCodeExpired) {
		kind = "expired"
	}
	if !ok || kind == "" {
		return s.proven(q, a, out, err)
	}
	page := DeadLinkPage{Layout: q.Layout(), Kind: kind, Ref: q.Ref(f)}
	// Whoever holds the token may know when; only the browser that typed the
	// address is shown it.
	if k, _ := s.Login.LookAt(q.Context(), &a.Login, token); k.ID != "" {
		page.At = k.EndedAt
		if kind == "expired" {
			page.At = k.ExpiresAt
		}
		if k.SameBrowser {
			page.Email = k.Email
		}
	}
	return q.Refuse(f, "dead-link.html", page)
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
