package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"gatelodge/app/account"
	"gatelodge/app/audit"
	"gatelodge/app/fault"
	"gatelodge/app/lang"
	"gatelodge/app/session"
	"gatelodge/store"
)

// backTo leads to a page with a sentence about what was done.
func (s *Server) backTo(w http.ResponseWriter, r *http.Request, path, notice string, n int) error {
	a := s.cookies.readLogin(r)
	a.Notice, a.Count, a.Warns = notice, n, false
	if err := s.cookies.saveLogin(w, a); err != nil {
		return err
	}
	return s.redirect(w, r, path)
}

// taken returns the sentence that waits for this page, and takes it.
func (s *Server) taken(w http.ResponseWriter, r *http.Request) (string, error) {
	a := s.cookies.readLogin(r)
	if a.Notice == "" {
		return "", nil
	}
	text := s.notice(r, &a)
	return text, s.cookies.saveLogin(w, a)
}

func (s *Server) getProfile(w http.ResponseWriter, r *http.Request) error {
	return s.signedIn(w, r, func(cur session.Current) error {
		u, err := s.Account.User(r.Context(), cur.User.ID)
		if err != nil {
			return err
		}
		page := ProfilePage{Layout: s.personal(r, cur.User), Name: u.Name, Username: u.Username, Language: u.Language, Chosen: u.Theme, TimeZone: u.TimeZone}
		if form, ok := s.kept(r, "/account/profile"); ok {
			page.Name, page.Username, page.Language, page.Chosen, page.TimeZone = form.Get("name"), form.Get("username"), form.Get("language"), form.Get("theme"), form.Get("time_zone")
		}
		if page.Notice, err = s.taken(w, r); err != nil {
			return err
		}
		return s.render(w, r, http.StatusOK, "profile.html", page)
	})
}

func (s *Server) postProfile(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	return s.signedIn(w, r, func(cur session.Current) error {
		p := account.Profile{
			Name: r.PostForm.Get("name"), Username: r.PostForm.Get("username"), Theme: r.PostForm.Get("theme"),
			Language: s.oneOf(r.PostForm.Get("language")), TimeZone: r.PostForm.Get("time_zone"),
		}
		if _, ok := lang.ZoneOf(p.TimeZone); !ok {
			p.TimeZone = ""
		}
		was, err := s.Account.User(r.Context(), cur.User.ID)
		if err != nil {
			return err
		}
		if p.Username == was.Username {
			return s.saveProfile(w, r, cur, p)
		}
		// A username opens the account with its password.
		return s.changing(w, r, "/account/profile", func(cur session.Current) error { return s.saveProfile(w, r, cur, p) })
	})
}

func (s *Server) saveProfile(w http.ResponseWriter, r *http.Request, cur session.Current, p account.Profile) error {
	err := s.Account.SetProfile(r.Context(), s.from(r), cur.User.ID, p)
	f, ok := errors.AsType[*fault.Fault](err)
	switch {
	case err == nil:
		s.cookies.setTheme(w, p.Theme)
		s.cookies.setLanguage(w, p.Language)
		s.cookies.setZone(w, p.TimeZone)
		return s.backTo(w, r, "/account/profile", "profile.saved", 0)
	case !ok || f.Field == "":
		return err
	}
	s.refused(r, f)
	page := ProfilePage{Layout: s.personal(r, cur.User), Name: p.Name, Username: p.Username, Language: p.Language, Chosen: p.Theme, TimeZone: p.TimeZone}
	said := s.say(s.printer(r), f, "")
	if f.Field == "name" {
		page.NameProblem = said
	} else {
		page.UsernameProblem = said
	}
	return s.render(w, r, statusOf(f), "profile.html", page)
}

// oneOf returns the tag of a language there is, or "".
func (s *Server) oneOf(tag string) string {
	for _, l := range s.Lang.Languages() {
		if l.Tag == tag {
			return tag
		}
	}
	return ""
}

func (s *Server) emailsPage(r *http.Request, cur session.Current) (EmailsPage, error) {
	u, err := s.Account.User(r.Context(), cur.User.ID)
	if err != nil {
		return EmailsPage{}, err
	}
	have, err := s.Account.Addresses(r.Context(), u.ID)
	page := EmailsPage{Layout: s.personal(r, cur.User), Waiting: have.Pending}
	for _, e := range have.Emails {
		page.Emails = append(page.Emails, OwnEmail{Norm: e.Norm, Email: e.Email, Primary: e.Norm == u.EmailNorm, Verified: !e.VerifiedAt.IsZero()})
	}
	return page, err
}

func (s *Server) getEmails(w http.ResponseWriter, r *http.Request) error {
	return s.signedIn(w, r, func(cur session.Current) error {
		page, err := s.emailsPage(r, cur)
		if err != nil {
			return err
		}
		if form, ok := s.kept(r, "/account/emails"); ok {
			page.Email = form.Get("email")
		}
		if page.Notice, err = s.taken(w, r); err != nil {
			return err
		}
		return s.render(w, r, http.StatusOK, "emails.html", page)
	})
}

// postEmail mails a link to a new address.
func (s *Server) postEmail(w http.ResponseWriter, r *http.Request) error {
	return s.changeEmails(w, r, "emails.sent", func(cur session.Current, typed string) error {
		return s.Account.AddEmail(r.Context(), s.from(r), cur.User.ID, typed)
	})
}

func (s *Server) postPrimary(w http.ResponseWriter, r *http.Request) error {
	return s.changeEmails(w, r, "emails.primary_set", func(cur session.Current, norm string) error {
		return s.Account.SetPrimary(r.Context(), s.from(r), cur.User.ID, norm, cur.Session.ID)
	})
}

func (s *Server) postRemoveEmail(w http.ResponseWriter, r *http.Request) error {
	return s.changeEmails(w, r, "emails.removed", func(cur session.Current, norm string) error {
		return s.Account.RemoveEmail(r.Context(), s.from(r), cur.User.ID, norm, cur.Session.ID)
	})
}

func (s *Server) postCancelEmail(w http.ResponseWriter, r *http.Request) error {
	return s.changeEmails(w, r, "emails.cancelled", func(cur session.Current, typed string) error {
		return s.Account.CancelEmail(r.Context(), s.from(r), cur.User.ID, typed)
	})
}

// changeEmails does something with the address in a form.
func (s *Server) changeEmails(w http.ResponseWriter, r *http.Request, notice string, change func(session.Current, string) error) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	typed := r.PostForm.Get("email")
	return s.changing(w, r, "/account/emails", func(cur session.Current) error {
		err := change(cur, typed)
		f, ok := errors.AsType[*fault.Fault](err)
		switch {
		case err == nil:
			return s.backTo(w, r, "/account/emails", notice, 0)
		case !ok || f.Field == "":
			return err
		}
		s.refused(r, f)
		setRetry(w, f)
		page, err := s.emailsPage(r, cur)
		if err != nil {
			return err
		}
		page.Email, page.Problem = typed, s.say(s.printer(r), f, "")
		return s.render(w, r, statusOf(f), "emails.html", page)
	})
}

// historyRows is how many lines a page of the history has.
const historyRows = 50

func (s *Server) getHistory(w http.ResponseWriter, r *http.Request) error {
	return s.signedIn(w, r, func(cur session.Current) error {
		before := r.URL.Query().Get("before")
		if len(before) > 64 {
			before = ""
		}
		// One more than is shown tells whether there is more.
		events, err := s.Account.History(r.Context(), cur.User.ID, before, historyRows+1)
		if err != nil {
			return err
		}
		page := HistoryPage{Layout: s.personal(r, cur.User)}
		if len(events) > historyRows {
			events = events[:historyRows]
			page.Older = events[historyRows-1].ID
		}
		p := s.printer(r)
		for _, e := range events {
			page.Events = append(page.Events, s.historyLine(p, e))
		}
		return s.render(w, r, http.StatusOK, "history.html", page)
	})
}

// historyLine says an event to the one it happened to. What there is no sentence
// for is told by its kind.
func (s *Server) historyLine(p lang.Printer, e store.Event) HistoryLine {
	line := HistoryLine{What: e.Kind, At: e.At, Reference: e.Reference}
	detail := e.Detail
	if e.Kind == audit.Linked || e.Kind == audit.Unlinked {
		detail = s.Upstreams.NameOf(detail)
	}
	if key := "history." + e.Kind; s.Lang.Has(key) {
		line.What = p.Say(key, "detail", detail)
	}
	switch {
	case e.Actor == "admin":
		line.Where = p.Say("history.by_admin")
	case e.Device != "":
		line.Where = p.Say("history.from", "device", e.Device, "ip", e.IP)
	}
	switch e.Kind {
	case "signin.refused", "signin.password_limited", "signin.limited", "account.not_me":
		line.Bad = true
	}
	return line
}

// postData gives people everything that is held about them. It is a form's answer,
// so that nobody is led to it by a link.
func (s *Server) postData(w http.ResponseWriter, r *http.Request) error {
	return s.fresh(w, r, "/account", func(cur session.Current) error {
		data, err := s.Account.Data(r.Context(), s.from(r), cur.User.ID)
		if err != nil {
			return err
		}
		text, err := json.MarshalIndent(data, "", "  ")
		if err != nil {
			return fmt.Errorf("encoding somebody's data: %w", err)
		}
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Content-Disposition", `attachment; filename="account.json"`)
		h.Set("Content-Length", strconv.Itoa(len(text)))
		if _, err := w.Write(text); err != nil {
			s.Log.Debug("the reader went away", "ref", reference(r), "err", err)
		}
		return nil
	})
}

func (s *Server) closePage(r *http.Request, cur session.Current) (ClosePage, error) {
	u, err := s.Account.User(r.Context(), cur.User.ID)
	return ClosePage{Layout: s.personal(r, cur.User), Name: u.Called(), EraseAt: s.Account.EraseAt(), Untold: !u.HasEmail()}, err
}

func (s *Server) getClose(w http.ResponseWriter, r *http.Request) error {
	return s.fresh(w, r, "/account/close", func(cur session.Current) error {
		page, err := s.closePage(r, cur)
		if err != nil {
			return err
		}
		if page.Notice, err = s.taken(w, r); err != nil {
			return err
		}
		return s.render(w, r, http.StatusOK, "close.html", page)
	})
}

func (s *Server) postClose(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	return s.fresh(w, r, "/account/close", func(cur session.Current) error {
		erased, err := s.Account.Close(r.Context(), s.from(r), cur.User.ID, r.PostForm.Get("confirm"))
		f, ok := errors.AsType[*fault.Fault](err)
		if err == nil {
			s.cookies.dropSession(w)
			s.cookies.dropLogin(w)
			if err := s.cookies.saveHints(w, without(s.cookies.readHints(r), cur.User.ID)); err != nil {
				return err
			}
			return s.render(w, r, http.StatusOK, "closed.html", ClosePage{Layout: s.layout(r), EraseAt: erased, Untold: !cur.User.HasEmail()})
		}
		if !ok || f.Field == "" {
			return err
		}
		s.refused(r, f)
		page, err := s.closePage(r, cur)
		if err != nil {
			return err
		}
		page.Problem = s.say(s.printer(r), f, "")
		return s.render(w, r, statusOf(f), "close.html", page)
	})
}
