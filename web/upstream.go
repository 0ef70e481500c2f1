package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gatelodge/app/apps/authjs"
	"gatelodge/app/factor"
	"gatelodge/app/fault"
	"gatelodge/app/gate"
	"gatelodge/app/links"
	"gatelodge/app/login"
	"gatelodge/app/people"
	"gatelodge/app/secret"
	"gatelodge/app/session"
	"gatelodge/app/upstream"
	"gatelodge/web/shell"
)

// upstreamButtons are the upstreams that a page offers. last is the means by which
// this browser was signed in before.
func (s signInPages) upstreamButtons(last factor.Means) []UpstreamButton {
	var list []UpstreamButton
	for _, u := range s.Upstreams.All() {
		list = append(list, UpstreamButton{ID: u.ID, Kind: u.Kind, Name: u.Name, Last: last == factor.Upstream(u.ID)})
	}
	return list
}

// setOut sends the browser of the attempt on a journey, and returns the address.
func (s signInPages) setOut(q *shell.Request, a shell.Attempt, id string, e upstream.AuthRequest, wishes upstream.AuthParams) (string, error) {
	a.Begin()
	a.AppLogin = nil
	var err error
	if wishes.Known, err = s.knownAs(q, a, e); err != nil {
		return "", err
	}
	journey := secret.Token()
	hash, _ := secret.Hash(journey)
	if a.Joining != nil {
		e.Joins, e.Invite = a.Joining.SignsUp, a.Joining.Invite
	}
	to, err := s.Upstreams.Begin(q.Context(), q.From(), id, hash, e, wishes)
	if err != nil {
		return "", err
	}
	if err := q.SaveAttempt(a); err != nil {
		return "", err
	}
	return to, s.Cookies.SetJourney(q.W, q.Request, to, journey, s.Now())
}

// knownAs returns the user whose browser this is known to be: who is signed in, or one
// whom it remembers and who knows it.
func (s signInPages) knownAs(q *shell.Request, a shell.Attempt, e upstream.AuthRequest) (userID string, err error) {
	if e.User != "" {
		return e.User, nil
	}
	for _, h := range s.Cookies.ReadHints(q.Request) {
		if _, known, err := s.Login.Owner(q.Context(), &a.Login, h.UserID); err != nil || known {
			return h.UserID, err
		}
	}
	return "", nil
}

// postWith begins a sign-in from a page of ours.
func (s signInPages) postWith(q *shell.Request) error {
	up := s.Upstreams.Named(q.Param("id"))
	if up == nil {
		return shell.ErrNotFound
	}
	wishes, err := s.knownHint(q)
	if err != nil {
		return err
	}
	a := q.Attempt()
	if q.PostForm.Get("new") != "" {
		a.RequestAccount()
	} else {
		a.OnlySignIn()
	}
	return s.signInBy(q, a, up, wishes)
}

// signInBy sends somebody to an upstream, to sign in or to come.
func (s signInPages) signInBy(q *shell.Request, a shell.Attempt, up *upstream.Upstream, wishes upstream.AuthParams) error {
	to, err := s.setOut(q, a, up.ID, upstream.AuthRequest{To: upstream.ToSignIn, Return: a.Return}, wishes)
	if err != nil {
		return err
	}
	return q.Finish(to, Target{Name: up.Name})
}

// knownHint is whom the upstream should begin with, when the account was chosen
// among those of this browser.
func (s signInPages) knownHint(q *shell.Request) (upstream.AuthParams, error) {
	number := q.PostForm.Get("account")
	if number == "" {
		return upstream.AuthParams{}, nil
	}
	known, err := s.remembered(q)
	for _, k := range known {
		if k.number() == number && strings.Contains(k.Identifier, "@") {
			return upstream.AuthParams{LoginHint: k.Identifier}, err
		}
	}
	return upstream.AuthParams{}, err
}

// getWith goes on with a sign-in that began at an App's address.
func (s signInPages) getWith(q *shell.Request) error {
	up := s.Upstreams.Named(q.Param("id"))
	if up == nil {
		return shell.ErrNotFound
	}
	word, ok := s.readAsk(q.Request)
	if !ok || !person(q.Request) {
		return q.Redirect("/signin")
	}
	again, err := s.sealAsk(ask{App: word.App, Origin: word.Origin, Browser: word.Browser})
	if err != nil {
		return err
	}
	a := q.Attempt()
	a.Return = enterPath(word.App) + "?ask=" + again
	to, err := s.setOut(q, a, up.ID, upstream.AuthRequest{To: upstream.ToSignIn, Return: a.Return}, wishesOf(q.URL.Query()))
	if err != nil {
		return err
	}
	q.W.Header().Set("Location", to)
	q.W.WriteHeader(http.StatusFound)
	return nil
}

// prompts are what an App may have an upstream do.
var prompts = []string{"login", "select_account", "consent"}

// wishesOf reads what an App passes on to the upstream: whom to begin with, and
// what to ask. Scopes are the operator's matter.
func wishesOf(q url.Values) upstream.AuthParams {
	w := upstream.AuthParams{LoginHint: q.Get("login_hint"), Prompt: q.Get("prompt")}
	if len(w.LoginHint) > 320 {
		w.LoginHint = ""
	}
	if !slices.Contains(prompts, w.Prompt) {
		w.Prompt = ""
	}
	if age, err := strconv.ParseUint(q.Get("max_age"), 10, 31); err == nil {
		w.MaxAge = strconv.FormatUint(age, 10)
	}
	return w
}

// signInWith begins to sign in by an upstream at the session API: from our own
// address it goes there at once, from an App's by way of ours, where it comes back.
func (s sessionAPI) signInWith(w http.ResponseWriter, r *http.Request, st site, up *upstream.Upstream, to string) error {
	if st.app != nil {
		a := s.readAttempt(r, st)
		a.Begin()
		a.Challenge = ""
		if err := s.saveAttempt(w, st, a); err != nil {
			return err
		}
		more := ""
		for _, name := range []string{"login_hint", "prompt", "max_age"} {
			if value := r.URL.Query().Get(name); value != "" {
				more += "&" + name + "=" + url.QueryEscape(value)
			}
		}
		there, err := s.ours(st, a, "/signin/with/"+shell.Segment(up.ID), more)
		if err != nil {
			return err
		}
		return s.lead(w, r, st, http.StatusOK, there)
	}
	q := s.Request(w, r)
	a := q.Attempt()
	a.Return = localOf(st, to)
	there, err := s.setOut(q, a, up.ID, upstream.AuthRequest{To: upstream.ToSignIn, Return: a.Return}, wishesOf(r.URL.Query()))
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Reason == fault.Provider {
		s.Refused(r, f)
		return s.tell(w, r, st, authjs.UpstreamFails, "")
	}
	if err != nil {
		return err
	}
	return s.lead(w, r, st, http.StatusOK, there)
}

// bounced is the answer of an upstream that came as a form.
const bounced = "form"

// postBack takes the answer of an upstream that answers by a form. Its site is
// another, so the browser sends no cookie of ours along; it is led here once more,
// by a GET with which it does. What was posted goes along sealed.
func (s signInPages) postBack(q *shell.Request, up *upstream.Upstream) error {
	answer := upstream.Answer{
		State: q.PostForm.Get("state"), Code: q.PostForm.Get("code"), Error: q.PostForm.Get("error"), Issuer: q.PostForm.Get("iss"),
	}
	var person struct {
		Name struct{ FirstName, LastName string }
	}
	if text := q.PostForm.Get("user"); text != "" && len(text) < 2000 && json.Unmarshal([]byte(text), &person) == nil {
		answer.Name = strings.TrimSpace(person.Name.FirstName + " " + person.Name.LastName)
	}
	sealed, err := s.Cookies.Seal(bounced, answer)
	if err != nil {
		return login.ErrStateLost.Because(err) // longer than any that is true
	}
	return q.Redirect(links.Callback(up.ID) + "?" + bounced + "=" + url.QueryEscape(sealed))
}

// getBack receives somebody from an upstream.
func (s signInPages) getBack(q *shell.Request, up *upstream.Upstream) error {
	query := q.URL.Query()
	answer := upstream.Answer{State: query.Get("state"), Code: query.Get("code"), Error: query.Get("error"), Issuer: query.Get("iss")}
	if sealed := query.Get(bounced); sealed != "" {
		if err := s.Cookies.Open(bounced, sealed, &answer); err != nil {
			return login.ErrStateLost.Because(err)
		}
	}
	// A browser that asks again gives up its first request, whose state is spent then:
	// that one is finished all the same, and the second has the same outcome.
	q = q.WithContext(context.WithoutCancel(q.Context()))
	defer s.returning.enter(answer.State)()
	a := q.Attempt()
	a.Begin()
	journey := s.Cookies.Journey(q.Request, answer.State)
	hash, _ := secret.Hash(journey)
	e, who, err := s.Upstreams.Finish(q.Context(), up.ID, hash, answer)
	if errors.Is(err, upstream.ErrLost) {
		out, again := s.Login.ReturnedAgain(q.Context(), &a.Login, login.UpstreamReturn{Browser: journey, State: answer.State}, err)
		if !errors.Is(again, upstream.ErrLost) {
			return s.proven(q, a, out, again)
		}
		if a.PendingIdentity != "" {
			return q.Redirect("/signin/connect")
		}
		// Reloaded, or gone back to: whoever is in goes on.
		if _, known := q.WhoIs(); known == nil {
			return q.Redirect(shell.Home(a.Return))
		}
	}
	if err != nil {
		return s.lostUpstream(q, up, e, err)
	}
	if again, err := s.Upstreams.NeedsConsent(q.Context(), e, who); err != nil {
		return err
	} else if again {
		e.Consented = true
		to, err := s.setOut(q, a, up.ID, e, upstream.AuthParams{LoginHint: who.Email, Prompt: "consent"})
		if err == nil {
			q.W.Header().Set("Location", to)
			q.W.WriteHeader(http.StatusFound)
		}
		return err
	}
	if e.To == upstream.ToLink {
		return s.linkBack(q, up, e, who)
	}
	a.AppLogin, a.Confirms, a.Return, a.Joining = nil, "", e.Return, nil // other tabs may want something else
	if e.Joins || e.Invite != "" {
		a.Joining = &login.Joining{SignsUp: e.Joins, Invite: e.Invite}
	}
	if e.To == upstream.ToConfirm {
		a.Confirms = e.Session
	}
	out, err := s.Login.WithUpstream(q.Context(), q.From(), &a.Login, login.UpstreamReturn{
		Who: who, Request: e, Language: q.Printer().Tag(), Replaces: q.SessionToken(),
		Browser: journey, State: answer.State,
	})
	if errors.Is(err, login.ErrUnconnected) {
		if a.PendingIdentity, err = s.Upstreams.KeepIdentity(q.Context(), a.BrowserHash(), who); err != nil {
			return err
		}
		if err := q.SaveAttempt(a); err != nil {
			return err
		}
		return q.Redirect("/signin/connect")
	}
	if f, ok := errors.AsType[*fault.Fault](err); ok && !(errors.Is(f, people.ErrPending) && s.target(e.Return).Name == "") {
		return s.lostUpstream(q, up, e, f.With(append(f.Args, "upstream", up.Name)...))
	}
	return s.proven(q, a, out, err)
}

// lostUpstream says what went wrong: on the App's own page, where the sign-in began
// there and the App has one, else on ours.
func (s signInPages) lostUpstream(q *shell.Request, up *upstream.Upstream, e upstream.AuthRequest, err error) error {
	f, ok := errors.AsType[*fault.Fault](err)
	word, there := s.askIn(e.Return)
	app := s.Apps.Snapshot().ByID(word.App)
	if !ok || !there || app == nil || app.AuthJS == nil || app.AuthJS.Pages.SignIn == "" && app.AuthJS.Pages.Error == "" {
		return err
	}
	q.Refused(f)
	outcome := authjs.UpstreamLost
	switch {
	case errors.Is(f, upstream.ErrDenied):
		outcome = authjs.UpstreamRefuses
	case errors.Is(f, upstream.ErrDown), errors.Is(f, upstream.ErrMisconfigured), errors.Is(f, upstream.ErrClock):
		outcome = authjs.UpstreamFails
	case errors.Is(f, upstream.ErrNotListed), errors.Is(f, upstream.ErrNoEmail), errors.Is(f, people.ErrNotInvited), errors.Is(f, gate.ErrSuspended),
		errors.Is(f, gate.ErrClosing), errors.Is(f, people.ErrClosed), errors.Is(f, people.ErrPending), errors.Is(f, people.ErrDeclined), errors.Is(f, login.ErrLeft):
		outcome = authjs.Denied
	}
	answer := app.AuthJS.Dialect.Answers[outcome]
	return q.Leave(word.Origin+authBase+answer.Page+"?"+answer.Query(up.ID, ""), Target{Name: app.Name})
}

// linkBack connects whom an upstream vouches for to the account that is signed in,
// when it is still the one that asked.
func (s signInPages) linkBack(q *shell.Request, up *upstream.Upstream, e upstream.AuthRequest, who upstream.Identity) error {
	cur, err := q.WhoIs()
	if errors.Is(err, session.ErrNone) || err == nil && (cur.Session.ID != e.Session || cur.User.ID != e.User) {
		return upstream.ErrLost.With("upstream", up.Name)
	}
	if err != nil {
		return err
	}
	q.Current = cur
	if err := q.Renew(); err != nil {
		return err
	}
	if err := s.Account.Connect(q.Context(), q.From(), cur.User.ID, who); err != nil {
		return err
	}
	return q.BackTo("/account", notified(cur.User, "upstream.connected", "upstream.connected_untold"), 0)
}
