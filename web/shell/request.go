package shell

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"

	"gatelodge/app/audit"
	"gatelodge/app/fault"
	"gatelodge/app/lang"
	"gatelodge/app/links"
	"gatelodge/app/login"
	"gatelodge/app/session"
	"gatelodge/store"
)

// Request is a request for a page, with what the guard of its route has made sure of,
// and the answers that pages give.
type Request struct {
	*http.Request
	W http.ResponseWriter
	// Current is who is signed in. Guards from SignedIn on set it; it is zero elsewhere.
	Current session.Current
	// Credential is that of the app that hands over mail.
	Credential store.SubmissionCredential

	shell *Shell
	route *Route
}

// request is one of the session API, where it shows a page of ours.
func (s *Shell) Request(w http.ResponseWriter, r *http.Request) *Request {
	return &Request{Request: r, W: w, shell: s, route: &Route{Path: r.Pattern, Guard: Client}}
}

// WithContext returns a copy of the request with another context.
func (q *Request) WithContext(ctx context.Context) *Request {
	again := *q
	again.Request = q.Request.WithContext(ctx)
	return &again
}

// Param returns the id or name in the path.
func (q *Request) Param(name string) string {
	return FromSegment(httprouter.ParamsFromContext(q.Context()).ByName(name))
}

// From says who sends the request, for limits and for the audit log.
func (q *Request) From() audit.Origin {
	from := q.shell.From(q.Request)
	if q.route.Guard.admins() && q.Current.User.Admin {
		from.AdminID = q.Current.User.ID
	}
	return from
}

// Printer speaks the reader's language.
func (q *Request) Printer() lang.Printer { return q.shell.Printer(q.Request) }

// SessionToken returns the token in the session cookie, or "".
func (q *Request) SessionToken() string { return q.shell.Cookies.SessionToken(q.Request) }

// WhoIs returns who is signed in, or session.ErrNone: for pages that are for anyone.
func (q *Request) WhoIs() (session.Current, error) {
	token := q.SessionToken()
	if token == "" {
		return session.Current{}, session.ErrNone
	}
	cur, err := q.shell.Sessions.Resume(q.Context(), token, func() string { return q.shell.Proxies.Client(q.Request).String() })
	if err == nil && cur.Renewed {
		q.shell.Cookies.SetSession(q.W, token, cur.Session, q.shell.Now())
	}
	return cur, err
}

// Attempt returns the attempt to sign in that this browser is in.
func (q *Request) Attempt() Attempt { return q.shell.Cookies.ReadLogin(q.Request) }

// SaveAttempt gives the browser the attempt to carry.
func (q *Request) SaveAttempt(a Attempt) error { return q.shell.Cookies.SaveLogin(q.W, a) }

// DropAttempt ends the attempt.
func (q *Request) DropAttempt() { q.shell.Cookies.DropLogin(q.W) }

// Layout returns what every page needs, for a visitor.
func (q *Request) Layout() Layout {
	l := q.shell.Layout(q.Request)
	if l.Path != "" && q.route.Back != "" {
		l.Path = q.Back()
	}
	return l
}

// back returns the page of the form that the route takes, or "/".
func (q *Request) Back() string {
	if q.route.Back == "" {
		return "/"
	}
	path := q.route.Back
	for _, param := range httprouter.ParamsFromContext(q.Context()) {
		path = strings.ReplaceAll(path, ":"+param.Key, Segment(FromSegment(param.Value)))
	}
	return path
}

// Render writes a page.
func (q *Request) Render(status int, name string, data any) error {
	return q.shell.Render(q.W, q.Request, status, name, data)
}

// Redirect answers a form: 303, so that reloading sends nothing again.
func (q *Request) Redirect(path string) error { return q.shell.Redirect(q.W, q.Request, path) }

// Finish ends a flow at a target, which may be an App's address.
func (q *Request) Finish(target string, app Target) error {
	return q.shell.Finish(q.W, q.Request, target, app)
}

// Leave leads to an App's address. A redirect does, unless it would answer a form of
// ours, whose page forbids it (see finish).
func (q *Request) Leave(to string, app Target) error {
	switch q.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site", "none":
		q.W.Header().Set("Location", to)
		q.W.WriteHeader(http.StatusFound)
		return nil
	}
	return q.Finish(to, app)
}

// BackTo shows a page with a sentence about what was done, or how often.
func (q *Request) BackTo(path, notice string, n int) error {
	a := q.Attempt()
	a.Notice, a.Count, a.Warns = notice, n, false
	if err := q.SaveAttempt(a); err != nil {
		return err
	}
	return q.Redirect(path)
}

// Say puts a fault into the reader's words, for the side of a field.
func (q *Request) Say(f *fault.Fault) string { return q.shell.Say(q.Printer(), f, "") }

// Refused remembers a refusal that a page shows.
func (q *Request) Refused(f *fault.Fault) { q.shell.note(q.From(), q.Request, f, f) }

// Refuse shows the page of a form again, with what was wrong on it. The page says so
// (see Say); the rest is the same for each form.
func (q *Request) Refuse(f *fault.Fault, name string, page any) error {
	q.Refused(f)
	SetRetry(q.W, f)
	return q.Render(StatusOf(f), name, page)
}

// inField returns the fault in err if it is about a field of the form, else nil: such
// a form is shown again.
func InField(err error) *fault.Fault {
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Field != "" {
		return f
	}
	return nil
}

// Ref returns what a person can quote about this request.
func (q *Request) Ref(f *fault.Fault) Ref { return q.shell.Ref(q.Request, f) }

// Notice takes the sentence that waits for the next page out of the attempt. The caller
// saves the attempt.
func (q *Request) Notice(a *Attempt) string {
	if a.Notice == "" {
		return ""
	}
	text := q.Printer().Say(a.Notice, "n", a.Count)
	a.Notice, a.Count, a.Warns, a.Form, a.At = "", 0, false, "", ""
	return text
}

// Taken returns the sentence that waits for this page, and takes it.
func (q *Request) Taken() (string, error) {
	a := q.Attempt()
	if a.Notice == "" {
		return "", nil
	}
	text := q.Notice(&a)
	return text, q.SaveAttempt(a)
}

// maxKept is the longest form that is kept: the cookie holds more than that.
const maxKept = 1000

// keep remembers in the attempt what was sent: those fields that the route allows.
func (q *Request) keep(a *Attempt) {
	a.Form, a.At = "", ""
	if q.Method != http.MethodPost {
		return
	}
	a.At = q.URL.Path
	form := make(url.Values)
	for name, values := range q.PostForm {
		if slices.Contains(q.route.Keeps, name) {
			form[name] = values
		}
	}
	if text := form.Encode(); len(text) <= maxKept {
		a.Form = text
	}
}

// Kept returns what was sent to this path and waits to be sent once more, or nothing.
func (q *Request) Kept() (url.Values, bool) {
	a := q.Attempt()
	if a.Notice != "reauth.again" || a.At != q.URL.Path || a.Form == "" {
		return nil, false
	}
	form, err := url.ParseQuery(a.Form)
	return form, err == nil
}

// Begun returns the attempt this browser is in, and begins one where there is none. The
// pages whose forms spend something do so: by the attempt the server distinguishes a form that
// is sent twice from one that two browsers send.
func (q *Request) Begun() (Attempt, error) {
	a := q.Attempt()
	if a.Browser != "" {
		return a, nil
	}
	a.Begin()
	return a, q.SaveAttempt(a)
}

// Onward leads the signed-in user on to where they wanted to go, when a form or link
// says nothing new: it was sent again after it had done its work. Without ok nothing
// was written. mine says whether that work was theirs; nil accepts any user.
func (q *Request) Onward(a Attempt, mine func(session.Current) (bool, error)) (ok bool, err error) {
	cur, err := q.WhoIs()
	if errors.Is(err, session.ErrNone) {
		return false, nil
	}
	if err == nil && mine != nil {
		ok, err = mine(cur)
		if err != nil || !ok {
			return false, err
		}
	}
	if err != nil {
		return false, err
	}
	return true, q.Redirect(Home(a.Return))
}

// toSignIn redirects a visitor to the sign-in page, and keeps where
// they wanted to go. Who expected to be signed in sees why not. A form is not kept: it
// leads back to its page after sign-in, and the sign-in page says that it was not saved.
func (q *Request) toSignIn() error {
	a := q.Attempt()
	switch {
	case q.Method == http.MethodPost:
		a.Notice = "session.unsaved"
		if page := q.Back(); page != "/" {
			a.Return = page
		}
	case q.SessionToken() != "":
		// The cookie stays: another tab may have got its new token a moment ago.
		a.Notice = "session.ended"
	}
	if q.Method == http.MethodGet {
		a.Return = links.Local(q.URL.RequestURI())
	}
	if err := q.SaveAttempt(a); err != nil {
		return err
	}
	return q.Redirect("/signin")
}

// toConfirm asks a signed-in user to confirm again, and keeps what they
// sent as far as the route allows.
func (q *Request) toConfirm() error {
	a := q.Attempt()
	a.Return, a.Confirms, a.For = q.Back(), q.Current.Session.ID, ""
	q.keep(&a)
	if err := q.SaveAttempt(a); err != nil {
		return err
	}
	return q.Redirect("/account/confirm")
}

// Renew gives the current session a new token. A copy of the cookie opens nothing from
// then on, and of two requests with the same token only one changes something. The
// other gets session.ErrNone, which leads to the sign-in page.
func (q *Request) Renew() error {
	token, row, err := q.shell.Sessions.Renew(q.Context(), q.Current.Session)
	if err != nil {
		return err
	}
	q.shell.Cookies.SetSession(q.W, token, row, q.shell.Now())
	q.Current.Session = row
	return nil
}

// badForm is a body that is too large or no form.
func BadForm(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return ErrTooLarge.Because(err)
	}
	return errBadForm.Because(err)
}

var errBadForm = fault.New(fault.Invalid, "error.bad_form")

// errCookies means that the browser keeps none of our cookies.
var errCookies = fault.New(fault.Invalid, "error.cookies")

// KeepsCookies refuses a form that came back without any cookie, though the page it
// stands on has set one: what it asks for would be sent or spent in vain. A page that
// was open longer than the cookie lives says nothing.
func (q *Request) KeepsCookies() error {
	at, err := strconv.ParseInt(q.PostForm.Get("begun"), 10, 64)
	if err != nil || len(q.Header["Cookie"]) > 0 || q.shell.Now().Sub(time.Unix(at, 0)).Abs() > login.Lifetime {
		return nil
	}
	return errCookies
}
