package web

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"gatelodge/app/account"
	"gatelodge/app/audit"
	"gatelodge/app/fault"
	"gatelodge/app/session"
)

// fresh calls h for whoever has proved themselves minutes ago, and asks everybody
// else to do so first. back is the page to return to.
func (s *Server) fresh(w http.ResponseWriter, r *http.Request, back string, h func(session.Current) error) error {
	return s.signedIn(w, r, func(cur session.Current) error {
		if s.Account.Fresh(cur.Session) {
			return h(cur)
		}
		a := s.cookies.readLogin(r)
		a.Return, a.Confirms, a.For = back, cur.Session.ID, ""
		a.keep(r)
		if err := s.cookies.saveLogin(w, a); err != nil {
			return err
		}
		return s.redirect(w, r, "/account/confirm")
	})
}

// changing is fresh for what changes a way to sign in: it gives the session a new
// token first (see renewed).
func (s *Server) changing(w http.ResponseWriter, r *http.Request, back string, h func(session.Current) error) error {
	return s.fresh(w, r, back, func(cur session.Current) error { return s.renewed(w, r, cur, h) })
}

// renewed gives the current session a new token and then calls h. A
// copy of the cookie opens nothing from then on, and of two requests with the same
// token only one changes something. The other is sent to the sign-in page.
func (s *Server) renewed(w http.ResponseWriter, r *http.Request, cur session.Current, h func(session.Current) error) error {
	token, row, err := s.Sessions.Renew(r.Context(), cur.Session)
	if errors.Is(err, session.ErrNone) {
		return s.toSignIn(w, r)
	}
	if err != nil {
		return err
	}
	s.cookies.setSession(w, token, row, s.Now())
	cur.Session = row
	return h(cur)
}

// maxKept is the longest form that is kept: the cookie holds more than that.
const maxKept = 1000

// keep remembers what was sent, but for what nobody should find in a cookie.
func (a *attempt) keep(r *http.Request) {
	a.Form, a.At = "", ""
	if r.Method != http.MethodPost {
		return
	}
	a.At = r.URL.Path
	form := maps.Clone(r.PostForm)
	delete(form, "password")
	if text := form.Encode(); len(text) <= maxKept {
		a.Form = text
	}
}

// kept returns what was sent to the path and waits to be sent once more, or nothing.
func (s *Server) kept(r *http.Request, path string) (url.Values, bool) {
	a := s.cookies.readLogin(r)
	if a.Notice != "reauth.again" || a.At != path || a.Form == "" {
		return nil, false
	}
	form, err := url.ParseQuery(a.Form)
	return form, err == nil
}

// confirmPage is the page on which somebody who is signed in proves themselves.
func (s *Server) confirmPage(r *http.Request, cur session.Current) (ConfirmPage, error) {
	u, ways, err := s.Account.UserAndMethods(r.Context(), cur.User.ID)
	page := ConfirmPage{Layout: s.personal(r, cur.User), Identifier: u.Called(), Mail: u.HasEmail()}
	for _, way := range ways {
		if way.Kind == "upstream" && !slices.ContainsFunc(page.Upstreams, func(b UpstreamButton) bool { return b.ID == way.Upstream }) {
			page.Upstreams = append(page.Upstreams, UpstreamButton{ID: way.Upstream, Name: way.Name})
		}
		page.Password = page.Password || way.Kind == "password" && !way.Idle
	}
	// A provider that does not ask again confirms nothing, unless there is nothing else:
	// anyone at a browser that is signed in there would be confirmed.
	var asks []UpstreamButton
	for _, b := range page.Upstreams {
		if s.Upstreams.Named(b.ID).AsksAgain() {
			asks = append(asks, b)
		}
	}
	page.Only = !page.Mail && !page.Password && (len(asks) == 0 || len(page.Upstreams) == 1)
	if !page.Only {
		page.Upstreams = asks
	}
	return page, err
}

func (s *Server) getConfirm(w http.ResponseWriter, r *http.Request) error {
	return s.signedIn(w, r, func(cur session.Current) error {
		page, err := s.confirmPage(r, cur)
		if err != nil {
			return err
		}
		return s.render(w, r, http.StatusOK, "confirm.html", page)
	})
}

func (s *Server) postConfirm(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	return s.signedIn(w, r, func(cur session.Current) error {
		page, err := s.confirmPage(r, cur)
		if err != nil {
			return err
		}
		a := s.cookies.readLogin(r)
		a.Confirms, a.AppLogin = cur.Session.ID, nil
		if id := r.PostForm.Get("upstream"); id != "" {
			if !slices.ContainsFunc(page.Upstreams, func(b UpstreamButton) bool { return b.ID == id }) {
				return errNotFound
			}
			return s.confirmWith(w, r, a, cur, id, page.Only)
		}
		if r.PostForm.Get("method") == "mail" {
			err = s.Login.SendLink(r.Context(), s.from(r), &a.Login, page.Identifier, s.printer(r).Tag())
			if err == nil {
				if err := s.cookies.saveLogin(w, a); err != nil {
					return err
				}
				return s.redirect(w, r, "/signin/code")
			}
		} else {
			out, failed := s.Login.WithPassword(r.Context(), s.from(r), &a.Login, page.Identifier, r.PostForm.Get("password"), s.cookies.sessionToken(r))
			if failed == nil {
				return s.proven(w, r, a, out, nil)
			}
			err = failed
		}
		f, ok := errors.AsType[*fault.Fault](err)
		if !ok || f.Field == "" {
			return err
		}
		s.refused(r, f)
		setRetry(w, f)
		page.Problem = s.say(s.printer(r), f, "")
		return s.render(w, r, statusOf(f), "confirm.html", page)
	})
}

// getForgot asks whose password is forgotten, or says that mail is on its way.
func (s *Server) getForgot(w http.ResponseWriter, r *http.Request) error {
	if !s.Passwords {
		return errNotFound
	}
	a := s.cookies.readLogin(r)
	page := ForgotPage{Layout: s.layout(r), Identifier: a.Identifier, From: s.MailFrom}
	if r.URL.Query().Has("sent") && a.Identifier != "" {
		page.Sent, page.Captured = true, s.hasInbox(r)
	}
	return s.render(w, r, http.StatusOK, "forgot.html", page)
}

func (s *Server) postForgot(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	a := s.cookies.readLogin(r)
	typed := r.PostForm.Get("identifier")
	err := s.Login.SendReset(r.Context(), s.from(r), &a.Login, typed, s.printer(r).Tag())
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Field != "" {
		s.refused(r, f)
		setRetry(w, f)
		page := ForgotPage{Layout: s.layout(r), Identifier: typed, Problem: s.say(s.printer(r), f, ""), From: s.MailFrom}
		return s.render(w, r, statusOf(f), "forgot.html", page)
	}
	if err != nil {
		return err
	}
	if err := s.cookies.saveLogin(w, a); err != nil {
		return err
	}
	return s.redirect(w, r, "/signin/forgot?sent=1")
}

// getOwnPassword is the page that sets, changes and removes the password.
func (s *Server) getOwnPassword(w http.ResponseWriter, r *http.Request) error {
	return s.fresh(w, r, "/account/password", func(cur session.Current) error {
		page, err := s.ownPassword(r, cur)
		if err != nil {
			return err
		}
		if page.Notice, err = s.taken(w, r); err != nil {
			return err
		}
		return s.render(w, r, http.StatusOK, "own-password.html", page)
	})
}

func (s *Server) ownPassword(r *http.Request, cur session.Current) (OwnPasswordPage, error) {
	if !s.Passwords {
		return OwnPasswordPage{}, errNotFound
	}
	_, ways, err := s.Account.UserAndMethods(r.Context(), cur.User.ID)
	page := OwnPasswordPage{Layout: s.personal(r, cur.User), Least: s.Account.Least(), Last: account.IsLast(ways, "password")}
	for _, way := range ways {
		page.Set = page.Set || way.Kind == "password"
	}
	return page, err
}

func (s *Server) postOwnPassword(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	return s.changing(w, r, "/account/password", func(cur session.Current) error {
		err := s.Account.SetPassword(r.Context(), s.from(r), audit.ByUser, cur.User.ID, account.NewPassword{
			Typed: r.PostForm.Get("password"), Keep: cur.Session.ID, KeepOthers: r.PostForm.Get("keep") != "",
		})
		f, ok := errors.AsType[*fault.Fault](err)
		switch {
		case err == nil:
			return s.backTo(w, r, "/account", told(cur.User, "password.changed", "password.changed_untold"), 0)
		case !ok || f.Field == "":
			return err
		}
		s.refused(r, f)
		page, err := s.ownPassword(r, cur)
		if err != nil {
			return err
		}
		page.Problem = s.say(s.printer(r), f, "")
		return s.render(w, r, statusOf(f), "own-password.html", page)
	})
}

func (s *Server) postRemovePassword(w http.ResponseWriter, r *http.Request) error {
	return s.changing(w, r, "/account/password", func(cur session.Current) error {
		err := s.Account.RemovePassword(r.Context(), s.from(r), audit.ByUser, cur.User.ID, cur.Session.ID)
		f, ok := errors.AsType[*fault.Fault](err)
		if err == nil {
			return s.backTo(w, r, "/account", told(cur.User, "password.removed", "password.removed_untold"), 0)
		}
		if !ok || !errors.Is(f, account.ErrLastMethod) {
			return err
		}
		page, err := s.ownPassword(r, cur)
		if err != nil {
			return err
		}
		page.Problem = s.say(s.printer(r), f, "")
		return s.render(w, r, statusOf(f), "own-password.html", page)
	})
}
