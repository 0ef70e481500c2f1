package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"gatelodge/app/apps/authjs"
	"gatelodge/app/challenge"
	"gatelodge/app/email"
	"gatelodge/app/fault"
	"gatelodge/app/login"
	"gatelodge/app/secret"
	"gatelodge/app/session"
	"gatelodge/web/shell"
)

// handOffID stands where a provider's id would: our own pages lead to an App's
// callback of that name.
const handOffID = "gatelodge"

// getAuthCallback is where somebody comes back who signed in elsewhere.
func (s sessionAPI) getAuthCallback(w http.ResponseWriter, r *http.Request, st site) error {
	switch {
	case st.provider == handOffID && st.app != nil:
		return s.arrive(w, r, st)
	case slices.Contains(authjs.Emails, st.provider) && s.offers(st, st.provider):
		return s.getMailedLink(w, r, st)
	}
	if up := s.Upstreams.Named(st.provider); up != nil && st.app == nil {
		return s.getBack(s.Request(w, r), up)
	}
	return s.tell(w, r, st, authjs.UpstreamLost, "")
}

// arrive spends the code with which our own pages led here.
func (s sessionAPI) arrive(w http.ResponseWriter, r *http.Request, st site) error {
	a := s.readAttempt(r, st)
	token, cur, err := s.Sessions.Arrive(r.Context(), st.app.ID, r.URL.Query().Get("code"), a.Browser)
	if errors.Is(err, session.ErrNone) {
		// Reloaded, or opened in another browser. Whoever is in goes on; others begin
		// again, which costs one redirect.
		if v, err := s.visitor(r, st); err != nil || v.in {
			return errors.Join(err, s.lead(w, r, st, http.StatusFound, s.landing(w, r, st)))
		}
		return s.tell(w, r, st, authjs.UpstreamLost, "")
	}
	if err != nil {
		return err
	}
	out := login.Outcome{AppToken: token, Session: cur.Session, User: cur.User}
	if err := s.signInSite(w, r, st, out); err != nil {
		return err
	}
	s.csrfToken(w, r, st)
	return s.lead(w, r, st, http.StatusFound, st.onward(cur.User, cur.Session, s.landing(w, r, st)))
}

// getMailedLink opens a link that was asked for at an App's address. In the
// browser that asked it signs in at once. Any other is led to our own page,
// which asks first: mail scanners open links too.
func (s sessionAPI) getMailedLink(w http.ResponseWriter, r *http.Request, st site) error {
	q := r.URL.Query()
	token := q.Get("token")
	if token == "" {
		return s.tell(w, r, st, authjs.LinkCut, "")
	}
	if st.app == nil {
		return s.Redirect(w, r, "/signin/link/"+url.PathEscape(token))
	}
	to := s.landing(w, r, st)
	a := s.entering(s.readAttempt(r, st), st, to)
	k, err := s.Login.LookAt(r.Context(), &a.Login, token)
	if errors.Is(err, challenge.ErrUsed) && person(r) && challenge.AppOf(k.Challenge) == st.app.ID {
		return s.mailedAgain(w, r, st, a, token, k, err, to)
	}
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		s.Refused(r, f)
		return s.tell(w, r, st, authjs.LinkDead, "")
	}
	if err != nil {
		return err
	}
	if challenge.AppOf(k.Challenge) != st.app.ID || q.Has("email") && !sameAddress(q.Get("email"), k.EmailNorm) {
		return s.tell(w, r, st, authjs.LinkDead, "")
	}
	if k.SameBrowser && person(r) {
		out, err := s.Login.Follow(r.Context(), s.From(r), &a.Login, token, false, "")
		return s.followed(w, r, st, a, out, err, to)
	}
	if err := s.saveAttempt(w, st, a); err != nil {
		return err
	}
	return s.toOurs(w, st, a, "/signin/link/"+url.PathEscape(token), "")
}

// mailedAgain answers a link that was used before: in the browser that has just done so
// as the first time, since it may have given up that answer, and for the user it signed in
// with the way on.
func (s sessionAPI) mailedAgain(w http.ResponseWriter, r *http.Request, st site, a shell.Attempt, token string, k login.Link, used error, to string) error {
	out, err := s.Login.FollowedAgain(r.Context(), &a.Login, token, used)
	if errors.Is(err, used) {
		v, err := s.visitor(r, st)
		if err != nil {
			return err
		}
		if v.in && (v.User.ID == k.UserID || sameAddress(v.User.Email, k.EmailNorm)) {
			return s.lead(w, r, st, http.StatusFound, to)
		}
	}
	return s.followed(w, r, st, a, out, err, to)
}

func sameAddress(typed, norm string) bool {
	address, err := email.Normal(typed)
	return err == nil && address == norm
}

// followed answers a mailed link that was followed at an App's address.
func (s sessionAPI) followed(w http.ResponseWriter, r *http.Request, st site, a shell.Attempt, out login.Outcome, err error, to string) error {
	f, ok := errors.AsType[*fault.Fault](err)
	switch {
	case ok && f.Kind == fault.Denied: // the App is not for them, or they may not come at all
		s.Refused(r, f)
		return s.tell(w, r, st, authjs.Denied, "")
	case ok && f.Kind == fault.Gone:
		s.Refused(r, f)
		return s.tell(w, r, st, authjs.LinkDead, "")
	case err != nil:
		return err
	case out.Need != "":
		to, err := s.needed(w, st, a)
		if err != nil {
			return err
		}
		return s.lead(w, r, st, http.StatusFound, to)
	}
	s.csrfToken(w, r, st)
	if err := s.signInSite(w, r, st, out); err != nil {
		return err
	}
	return s.lead(w, r, st, http.StatusFound, st.onward(out.User, out.Session, to))
}

// toOurs leads from an App's address to a page of ours, with a sealed word about
// whom it is for and into which browser.
func (s sessionAPI) toOurs(w http.ResponseWriter, st site, a shell.Attempt, path, more string) error {
	to, err := s.ours(st, a, path, more)
	if err != nil {
		return err
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusFound)
	return nil
}

// ours is the address of a page of ours with that word.
func (s *pages) ours(st site, a shell.Attempt, path, more string) (string, error) {
	hash, _ := secret.Hash(a.Browser)
	word := ask{App: st.app.ID, Origin: st.origin, Browser: hash, Challenge: a.Challenge, Email: a.Email, Proofs: a.Proofs}
	if a.AppLogin != nil {
		word.Link = a.AppLogin.Link
	}
	sealed, err := s.sealAsk(word)
	return s.own.origin + path + "?ask=" + sealed + more, err
}

// postAuthCallback takes what is proven by a form: a password. An upstream that
// answers by a form is another matter.
func (s sessionAPI) postAuthCallback(w http.ResponseWriter, r *http.Request, st site) error {
	if up := s.Upstreams.Named(st.provider); up != nil && up.PostsBack() && st.app == nil {
		if err := r.ParseForm(); err != nil {
			return shell.BadForm(err)
		}
		return s.postBack(s.Request(w, r), up)
	}
	st, own, err := s.readAuthForm(w, r, st)
	if err != nil {
		return err
	}
	to := s.landing(w, r, st)
	s.csrfToken(w, r, st)
	switch {
	case !own:
		return s.tell(w, r, st, authjs.BadForm, "")
	case st.provider == passwordID && s.offers(st, passwordID):
		return s.postCredentials(w, r, st, to)
	}
	return s.tell(w, r, st, authjs.NoProvider, "")
}
