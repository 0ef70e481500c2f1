package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"gatelodge/app/session"
	"gatelodge/web/shell"
)

// enterPath is our page that hands a session over to the App with that id.
func enterPath(app string) string { return "/signin/app/" + app }

// getEnter hands the session of whoever is signed in over to the App that asked,
// and has everybody else sign in first.
func (s signInPages) getEnter(q *shell.Request) error {
	app := s.Apps.Snapshot().Find(q.Param("app"))
	if app == nil || app.AuthJS == nil {
		return shell.ErrNotFound
	}
	word, ok := s.readAsk(q.Request)
	if !ok || word.App != app.ID {
		// Too old, or only a bookmark. The App asks again.
		return q.Leave(app.Origins[0]+authBase+"signin", Target{Name: app.Name})
	}
	cur, err := q.WhoIs()
	if errors.Is(err, session.ErrNone) {
		return s.enterFirst(q)
	}
	if err != nil {
		return err
	}
	if q.URL.Query().Has("stay") {
		p := q.Printer()
		query := q.URL.Query()
		query.Del("stay")
		query.Del("error")
		return q.Render(http.StatusOK, "note.html", NotePage{
			Layout: s.personal(q, cur.User), Target: Target{Name: app.Name, Host: hostOf(word.Origin)},
			Heading: p.Say("enter.title"), Text: p.Say("enter.text", "email", cur.User.Called(), "app", app.Name),
			Next:  Link{Text: p.Say("enter.continue", "app", app.Name), Href: enterPath(app.ID) + "?" + query.Encode()},
			Other: Link{Text: p.Say("enter.other"), Href: "/signout"},
		})
	}
	out, err := s.Login.EnterApp(q.Context(), q.From(), cur, app.ID, word.Browser)
	if err != nil {
		return err
	}
	if out.Need != "" {
		a := q.Attempt()
		a.AppLogin, a.Confirms, a.For, a.Return = nil, cur.Session.ID, app.ID, q.URL.RequestURI()
		to, err := s.needed(q.W, s.own, a)
		if err != nil {
			return err
		}
		return q.Leave(to, Target{})
	}
	return q.Leave(word.Origin+authBase+"callback/"+handOffID+"?code="+url.QueryEscape(out.Code), Target{Name: app.Name})
}

// enterFirst has somebody sign in and come back here.
func (s signInPages) enterFirst(q *shell.Request) error {
	a := q.Attempt()
	a.AppLogin = nil
	query := q.URL.Query()
	problem := query.Get("error")
	query.Del("error")
	query.Del("stay")
	a.Return = q.URL.EscapedPath() + "?" + query.Encode()
	if slices.Contains(signInErrors, problem) {
		a.Notice = authSentence(problem)
	}
	if err := q.SaveAttempt(a); err != nil {
		return err
	}
	return q.Redirect("/signin")
}

// appID returns the id of the App of that id or name: addresses and cookies of an
// earlier version hold the name.
func (s *pages) appID(idOrName string) string {
	if app := s.Apps.Snapshot().Find(idOrName); app != nil {
		return app.ID
	}
	return idOrName
}

func hostOf(origin string) string {
	_, host, _ := strings.Cut(origin, "://")
	return host
}

// target returns the App that a sign-in leads to, for its page, or none.
func (s *pages) target(path string) Target {
	word, ok := s.askIn(path)
	if app := s.Apps.Snapshot().ByID(word.App); app != nil {
		if !ok {
			word.Origin = app.Origins[0]
		}
		return Target{Name: app.Name, Host: hostOf(word.Origin)}
	}
	return Target{}
}

// askIn returns what an App asked for, in a path that leads to it; without ok it
// is only the App's id.
func (s *pages) askIn(path string) (word ask, ok bool) {
	rest, ok := strings.CutPrefix(path, "/signin/app/")
	if !ok {
		return ask{}, false
	}
	name, query, _ := strings.Cut(rest, "?")
	name, err := url.PathUnescape(name)
	if err != nil {
		return ask{}, false
	}
	app := s.appID(shell.FromSegment(name))
	q, err := url.ParseQuery(query)
	if err != nil || s.Cookies.Open(askName, q.Get("ask"), &word) != nil || s.appID(word.App) != app {
		return ask{App: app}, false
	}
	word.App = app
	return word, true
}

// takeAsk makes the attempt of our own pages the one that began at an App's
// address, when the request says so, and answers with the page's own address.
func (s *pages) takeAsk(q *shell.Request) (bool, error) {
	word, ok := s.readAsk(q.Request)
	if !ok {
		return false, nil
	}
	a := q.Attempt()
	a.AppLogin, a.Challenge, a.Email, a.Proofs, a.Notice = word.entry(), word.Challenge, word.Email, word.Proofs, ""
	a.Confirms, a.For = "", ""
	a.Begin()
	a.OnlySignIn()
	// Who rather signs in on our own pages still gets to the App.
	again, err := s.sealAsk(ask{App: word.App, Origin: word.Origin, Browser: word.Browser})
	if err != nil {
		return false, err
	}
	a.Return = enterPath(word.App) + "?ask=" + again
	if a.Challenge != "" {
		a.AwaitMail(a.Email, a.Challenge)
	}
	if err := q.SaveAttempt(a); err != nil {
		return false, err
	}
	return true, q.Redirect(q.URL.EscapedPath())
}
