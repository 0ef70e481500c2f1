package web

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gatelodge/app/apps/authjs"
	"gatelodge/app/fault"
)

// authErrors are the errors of which our pages can say something; all others
// are "something went wrong".
var authErrors = []string{
	"Configuration", "AccessDenied", "Verification", "CredentialsSignin", "SessionRequired", "OAuthAccountNotLinked",
	"OAuthCallbackError", "EmailSignin", "MissingCSRF", "rate_limited", "account_disabled", "totp_required",
}

// signInErrors are those that the sign-in page tells.
var signInErrors = authErrors[3:]

// said returns the error in a query, and where a code says more than the error, the
// code.
func said(q url.Values) string {
	if code := q.Get("code"); q.Get("error") == "CredentialsSignin" && slices.Contains(signInErrors, code) {
		return code
	}
	return q.Get("error")
}

// getAuthSignIn leads to where people sign in: the App's own page, or ours,
// which hands over at once whoever is signed in with us.
func (s sessionAPI) getAuthSignIn(w http.ResponseWriter, r *http.Request, st site) error {
	to := s.landing(w, r, st)
	s.csrfToken(w, r, st)
	if st.app != nil && st.app.AuthJS.Pages.SignIn != "" {
		q := "?callbackUrl=" + url.QueryEscape(to)
		for _, name := range []string{"error", "code"} {
			if value := r.URL.Query().Get(name); value != "" {
				q += "&" + name + "=" + url.QueryEscape(value)
			}
		}
		return s.lead(w, r, st, http.StatusFound, st.origin+st.app.AuthJS.Pages.SignIn+q)
	}
	problem, more := said(r.URL.Query()), ""
	if slices.Contains(signInErrors, problem) {
		more = "&error=" + problem
	}
	if st.app == nil {
		return s.ownSignIn(w, r, st, to, problem)
	}
	v, err := s.visitor(r, st)
	if err != nil {
		return err
	}
	if v.in {
		// The App would have nobody of these: to hand over the same session again
		// would go round in circles.
		more += "&stay=1"
	}
	a := s.readAttempt(r, st)
	a.Begin()
	a.Challenge = ""
	if err := s.saveAttempt(w, st, a); err != nil {
		return err
	}
	return s.toOurs(w, st, a, enterPath(st.app.ID), more)
}

// ownSignIn leads to our sign-in page from our own session API.
func (s sessionAPI) ownSignIn(w http.ResponseWriter, r *http.Request, st site, to, problem string) error {
	a := s.Cookies.ReadLogin(r)
	a.Return = localOf(st, to)
	if slices.Contains(signInErrors, problem) {
		a.Notice = authSentence(problem)
	}
	if err := s.Cookies.SaveLogin(w, a); err != nil {
		return err
	}
	return s.lead(w, r, st, http.StatusFound, st.origin+"/signin")
}

func authSentence(name string) string { return "auth_error." + strings.ToLower(name) + ".text" }

// getAuthSignInProvider is a page of v4 alone: v5 has none of that address.
func (s sessionAPI) getAuthSignInProvider(w http.ResponseWriter, r *http.Request, st site) error {
	if !st.dialect.ProviderPage {
		return s.tell(w, r, st, authjs.NoProvider, "")
	}
	return s.getAuthSignIn(w, r, st)
}

// getAuthError says what an error in the query means, on the App's own page
// where it has one.
func (s sessionAPI) getAuthError(w http.ResponseWriter, r *http.Request, st site) error {
	name := r.URL.Query().Get("error")
	status := st.dialect.Errors[name]
	switch {
	case status == http.StatusFound:
		return s.lead(w, r, st, status, st.base("signin?error="+url.QueryEscape(name)))
	case st.app != nil && st.app.AuthJS.Pages.Error != "":
		to := st.origin + st.app.AuthJS.Pages.Error
		if name != "" {
			to += "?error=" + url.QueryEscape(name)
		}
		return s.lead(w, r, st, http.StatusFound, to)
	case status == 0:
		status = http.StatusOK
	}
	if !slices.Contains(authErrors, name) {
		name = "Default"
	}
	p := s.Printer(r)
	page := ErrorPage{
		Layout: s.siteLayout(r, st), Heading: p.Say("auth_error." + strings.ToLower(name) + ".title"), Text: p.Say(authSentence(name)),
		Next: Link{Text: p.Say("error.back_to_sign_in"), Href: authBase + "signin"},
		Ref:  s.Ref(r, fault.New(fault.Invalid, "auth_error."+strings.ToLower(name))),
	}
	return s.renderSite(w, r, st, status, "error.html", page)
}

// getVerifyRequest leads to the page that waits for the code of a mail.
func (s sessionAPI) getVerifyRequest(w http.ResponseWriter, r *http.Request, st site) error {
	if st.app == nil {
		return s.lead(w, r, st, http.StatusFound, st.origin+"/signin/code")
	}
	if page := st.app.AuthJS.Pages.VerifyRequest; page != "" {
		if r.URL.RawQuery != "" && st.dialect.Direct {
			page += "?" + r.URL.Query().Encode()
		}
		return s.lead(w, r, st, http.StatusFound, st.origin+page)
	}
	a := s.readAttempt(r, st)
	if a.Challenge == "" {
		p := s.Printer(r)
		page := NotePage{Layout: s.siteLayout(r, st), Heading: p.Say("check.title"), Text: p.Say("auth_note.check"), Next: Link{Text: p.Say("error.back_to_sign_in"), Href: authBase + "signin"}}
		return s.renderSite(w, r, st, http.StatusOK, "note.html", page)
	}
	a = s.entering(a, st, s.landing(w, r, st))
	return s.toOurs(w, st, a, "/signin/code", "")
}

// getAuthSignOut asks before it signs out: a GET must not.
func (s sessionAPI) getAuthSignOut(w http.ResponseWriter, r *http.Request, st site) error {
	if st.app != nil && st.app.AuthJS.Pages.SignOut != "" {
		return s.lead(w, r, st, http.StatusFound, st.origin+st.app.AuthJS.Pages.SignOut)
	}
	to := s.landing(w, r, st)
	page := AppSignOutPage{Layout: s.siteLayout(r, st), Action: authBase + "signout", CSRFToken: s.csrfToken(w, r, st), CallbackURL: to}
	return s.renderSite(w, r, st, http.StatusOK, "app-signout.html", page)
}

// siteLayout is the layout of a page that is shown at an App's address.
func (s sessionAPI) siteLayout(r *http.Request, st site) Layout {
	l := s.Layout(r)
	if st.app != nil {
		_, l.Host, _ = strings.Cut(st.origin, "://")
		l.Instance = st.app.Name
	}
	return l
}

// renderSite is render for a page at an App's address, where only what is below
// authBase comes to us: its stylesheets too.
func (s sessionAPI) renderSite(w http.ResponseWriter, r *http.Request, st site, status int, name string, data any) error {
	if st.app == nil {
		return s.Render(w, r, status, name, data)
	}
	held := &heldWriter{ResponseWriter: w}
	if err := s.Render(held, r, status, name, data); err != nil {
		return err
	}
	body := bytes.ReplaceAll(held.body.Bytes(), []byte(`="`+staticPath), []byte(`="`+authBase+staticPath[1:]))
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever asked has gone away
	return nil
}

// heldWriter keeps an answer to be changed.
type heldWriter struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (h *heldWriter) WriteHeader(int)             {}
func (h *heldWriter) Write(b []byte) (int, error) { return h.body.Write(b) }

// getAuthStatic serves what those pages load.
func (s sessionAPI) getAuthStatic(w http.ResponseWriter, r *http.Request, _ site) error {
	inner := r.Clone(r.Context())
	inner.URL.Path = "/" + strings.TrimPrefix(r.URL.Path, authBase)
	s.assets.ServeHTTP(w, inner)
	return nil
}
