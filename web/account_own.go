package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"gatelodge/app/account"
	"gatelodge/app/audit"
	"gatelodge/app/lang"
	"gatelodge/app/session"
	"gatelodge/store"
	"gatelodge/web/shell"
)

func (s accountPages) getProfile(q *shell.Request) error {
	cur := q.Current
	u, err := s.Account.User(q.Context(), cur.User.ID)
	if err != nil {
		return err
	}
	page := ProfilePage{Layout: s.personal(q, cur.User), Name: u.Name, Username: u.Username, Language: u.Language, Chosen: u.Theme, TimeZone: u.TimeZone}
	if form, ok := q.Kept(); ok {
		page.Name, page.Username, page.Language, page.Chosen, page.TimeZone = form.Get("name"), form.Get("username"), form.Get("language"), form.Get("theme"), form.Get("time_zone")
	}
	if page.Notice, err = q.Taken(); err != nil {
		return err
	}
	return q.Render(http.StatusOK, "profile.html", page)
}

func (s accountPages) postProfile(q *shell.Request) error {
	cur := q.Current
	p := account.Profile{
		Name: q.PostForm.Get("name"), Username: q.PostForm.Get("username"), Theme: q.PostForm.Get("theme"),
		Language: s.oneOf(q.PostForm.Get("language")), TimeZone: q.PostForm.Get("time_zone"),
	}
	if _, ok := lang.ZoneOf(p.TimeZone); !ok {
		p.TimeZone = ""
	}
	was, err := s.Account.User(q.Context(), cur.User.ID)
	if err != nil {
		return err
	}
	if p.Username == was.Username {
		return s.saveProfile(q, p)
	}
	// A username opens the account with its password.
	if err := q.Proven(); err != nil {
		return err
	}
	if err := q.Renew(); err != nil {
		return err
	}
	return s.saveProfile(q, p)
}

func (s accountPages) saveProfile(q *shell.Request, p account.Profile) error {
	err := s.Account.SetProfile(q.Context(), q.From(), q.Current.User.ID, p)
	f := shell.InField(err)
	switch {
	case err == nil:
		s.Cookies.SetTheme(q.W, p.Theme)
		s.Cookies.SetLanguage(q.W, p.Language)
		s.Cookies.SetZone(q.W, p.TimeZone)
		return q.BackTo("/account/profile", "profile.saved", 0)
	case f == nil:
		return err
	}
	page := ProfilePage{Layout: s.personal(q, q.Current.User), Name: p.Name, Username: p.Username, Language: p.Language, Chosen: p.Theme, TimeZone: p.TimeZone}
	said := q.Say(f)
	if f.Field == "name" {
		page.NameProblem = said
	} else {
		page.UsernameProblem = said
	}
	return q.Refuse(f, "profile.html", page)
}

// oneOf returns the tag of a language there is, or "".
func (s accountPages) oneOf(tag string) string {
	for _, l := range s.Lang.Languages() {
		if l.Tag == tag {
			return tag
		}
	}
	return ""
}

func (s accountPages) emailsPage(q *shell.Request, cur session.Current) (EmailsPage, error) {
	u, err := s.Account.User(q.Context(), cur.User.ID)
	if err != nil {
		return EmailsPage{}, err
	}
	have, err := s.Account.Addresses(q.Context(), u.ID)
	page := EmailsPage{Layout: s.personal(q, cur.User), Waiting: have.Pending}
	for _, e := range have.Emails {
		page.Emails = append(page.Emails, OwnEmail{Norm: e.Norm, Email: e.Email, Primary: e.Norm == u.EmailNorm, Verified: !e.VerifiedAt.IsZero()})
	}
	return page, err
}

func (s accountPages) getEmails(q *shell.Request) error {
	cur := q.Current
	page, err := s.emailsPage(q, cur)
	if err != nil {
		return err
	}
	if form, ok := q.Kept(); ok {
		page.Email = form.Get("email")
	}
	if page.Notice, err = q.Taken(); err != nil {
		return err
	}
	return q.Render(http.StatusOK, "emails.html", page)
}

// postEmail mails a link to a new address.
func (s accountPages) postEmail(q *shell.Request) error {
	return s.changeEmails(q, "emails.sent", func(cur session.Current, typed string) error {
		return s.Account.AddEmail(q.Context(), q.From(), cur.User.ID, typed)
	})
}

func (s accountPages) postPrimary(q *shell.Request) error {
	return s.changeEmails(q, "emails.primary_set", func(cur session.Current, norm string) error {
		return s.Account.SetPrimary(q.Context(), q.From(), cur.User.ID, norm, cur.Session.ID)
	})
}

func (s accountPages) postRemoveEmail(q *shell.Request) error {
	return s.changeEmails(q, "emails.removed", func(cur session.Current, norm string) error {
		return s.Account.RemoveEmail(q.Context(), q.From(), cur.User.ID, norm, cur.Session.ID)
	})
}

func (s accountPages) postCancelEmail(q *shell.Request) error {
	return s.changeEmails(q, "emails.cancelled", func(cur session.Current, typed string) error {
		return s.Account.CancelEmail(q.Context(), q.From(), cur.User.ID, typed)
	})
}

// changeEmails does something with the address in a form.
func (s accountPages) changeEmails(q *shell.Request, notice string, change func(session.Current, string) error) error {
	typed := q.PostForm.Get("email")
	cur := q.Current
	err := change(cur, typed)
	f := shell.InField(err)
	switch {
	case err == nil:
		return q.BackTo("/account/emails", notice, 0)
	case f == nil:
		return err
	}
	page, err := s.emailsPage(q, cur)
	if err != nil {
		return err
	}
	page.Email, page.Problem = typed, q.Say(f)
	return q.Refuse(f, "emails.html", page)
}

// historyRows is how many lines a page of the history has.
const historyRows = 50

func (s accountPages) getHistory(q *shell.Request) error {
	cur := q.Current
	before := q.URL.Query().Get("before")
	if len(before) > 64 {
		before = ""
	}
	// One more than is shown tells whether there is more.
	events, err := s.Account.History(q.Context(), cur.User.ID, before, historyRows+1)
	if err != nil {
		return err
	}
	page := HistoryPage{Layout: s.personal(q, cur.User)}
	if len(events) > historyRows {
		events = events[:historyRows]
		page.Older = events[historyRows-1].ID
	}
	p := q.Printer()
	for _, e := range events {
		page.Events = append(page.Events, s.historyLine(p, e))
	}
	return q.Render(http.StatusOK, "history.html", page)
}

// historyLine says an event to the one it happened to. What there is no sentence
// for is shown by its kind.
func (s accountPages) historyLine(p lang.Printer, e store.Event) HistoryLine {
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
func (s accountPages) postData(q *shell.Request) error {
	cur := q.Current
	data, err := s.Account.Data(q.Context(), q.From(), cur.User.ID)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(data, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding somebody's data: %w", err)
	}
	h := q.W.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Disposition", `attachment; filename="account.json"`)
	h.Set("Content-Length", strconv.Itoa(len(text)))
	if _, err := q.W.Write(text); err != nil {
		s.Log.Debug("the reader went away", "ref", shell.Reference(q.Request), "err", err)
	}
	return nil
}

func (s accountPages) closePage(q *shell.Request, cur session.Current) (ClosePage, error) {
	u, err := s.Account.User(q.Context(), cur.User.ID)
	return ClosePage{Layout: s.personal(q, cur.User), Name: u.Called(), EraseAt: s.Account.EraseAt(), Untold: !u.HasEmail()}, err
}

func (s accountPages) getClose(q *shell.Request) error {
	cur := q.Current
	page, err := s.closePage(q, cur)
	if err != nil {
		return err
	}
	if page.Notice, err = q.Taken(); err != nil {
		return err
	}
	return q.Render(http.StatusOK, "close.html", page)
}

func (s accountPages) postClose(q *shell.Request) error {
	cur := q.Current
	erased, err := s.Account.Close(q.Context(), q.From(), cur.User.ID, q.PostForm.Get("confirm"))
	f := shell.InField(err)
	if err == nil {
		s.Cookies.DropSession(q.W)
		q.DropAttempt()
		if err := s.Cookies.SaveHints(q.W, without(s.Cookies.ReadHints(q.Request), cur.User.ID)); err != nil {
			return err
		}
		return q.Render(http.StatusOK, "closed.html", ClosePage{Layout: q.Layout(), EraseAt: erased, Untold: !cur.User.HasEmail()})
	}
	if f == nil {
		return err
	}
	page, err := s.closePage(q, cur)
	if err != nil {
		return err
	}
	page.Problem = q.Say(f)
	return q.Refuse(f, "close.html", page)
}
