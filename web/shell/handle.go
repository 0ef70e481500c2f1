package shell

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gatelodge/app/audit"
	"gatelodge/app/fault"
	"gatelodge/app/lang"
	"gatelodge/app/limit"
	"gatelodge/app/links"
	"gatelodge/store"
)

// HandlerFunc answers a request, or returns an error and has written nothing.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// statusWriter remembers what was answered, for the access log.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// handle serves h, an action of the session API.
func (s *Shell) Handle(pattern string, h HandlerFunc, fail func(http.ResponseWriter, *http.Request, *fault.Fault)) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w := &statusWriter{ResponseWriter: rw}
		r.Pattern = pattern
		bound(rw, r, MaxForm)
		start := time.Now()
		if err := safely(h, w, r); err != nil {
			s.failed(w, r, s.From(r), err, func(f *fault.Fault) { fail(w, r, f) })
		}
		s.logAnswer(w, r, false, start)
	})
}

// failed is the one place where errors become statuses, sentences and log lines.
func (s *Shell) failed(w *statusWriter, r *http.Request, from audit.Origin, err error, fail func(*fault.Fault)) {
	f := s.known(err)
	s.note(from, r, f, err)
	if w.status == 0 {
		fail(f)
	}
}

// logAnswer writes the access log. Answers of 2xx are logged for pages alone: programs
// ask often. The route is logged, never the path, which may hold a token.
func (s *Shell) logAnswer(w *statusWriter, r *http.Request, always bool, start time.Time) {
	if always || w.status >= 300 {
		s.Log.InfoContext(r.Context(), "request", "ref", Reference(r), "method", r.Method, "route", routeOf(r),
			"status", w.status, "ip", s.Proxies.Client(r).String(), "for", time.Since(start).Round(time.Microsecond))
	}
}

// routeOf returns the route of a request for logs. For a path that has none it is the
// path's first segment, "/wp-admin/…": what follows may hold a token, and so may a
// long segment.
func routeOf(r *http.Request) string {
	if r.Pattern != "" {
		return r.Pattern
	}
	segment, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case len(segment) > 32 || !utf8.ValidString(segment):
		return "/…"
	case rest != "":
		return "/" + segment + "/…"
	}
	return "/" + segment
}

// safely turns a panic into an error: one request must not end the others.
func safely(h HandlerFunc, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return h(w, r)
}

// known gives errors of the layers below their sentence.
func (s *Shell) known(err error) *fault.Fault {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, store.ErrFull):
		return errDiskFull.After(time.Minute).Because(err)
	case errors.Is(err, store.ErrReadOnly), errors.Is(err, store.ErrUnreachable), errors.Is(err, store.ErrClosed), errors.Is(err, store.ErrCorrupt),
		errors.Is(err, store.ErrBusy), errors.Is(err, store.ErrIO):
		return errUnavailable.After(time.Minute).Because(err)
	case errors.As(err, &tooLarge):
		return ErrTooLarge
	}
	return fault.Of(err)
}

// The refusals that are written to the audit log, so that "why" knows them
// after a restart. Beyond that they are in memory and in the log.
var (
	notesPerNetwork = []limit.Rule{{Count: 20, Per: 10 * time.Minute}}
	notesPerHouse   = []limit.Rule{{Count: 600, Per: 10 * time.Minute}}
)

// refused remembers a refusal that the session API answers in its own words.
func (s *Shell) Refused(r *http.Request, f *fault.Fault) { s.note(s.From(r), r, f, f) }

// note writes down a refusal or failure under the request's Reference.
func (s *Shell) note(from audit.Origin, r *http.Request, f *fault.Fault, err error) {
	s.Recent.Add(audit.Refusal{At: s.Now(), From: from, Route: r.Method + " " + routeOf(r), Status: StatusOf(f), What: f.Text, Cause: cause(f)})
	kind := audit.RequestRefused
	switch {
	case f.Kind == fault.Internal || f.Kind == fault.Unavailable:
		kind = audit.RequestFailed
		s.Log.ErrorContext(r.Context(), "request failed", "ref", from.Reference, "route", routeOf(r), "err", err)
	case f.Kind == fault.NotFound || f.Field != "":
		return // scanners and typing errors
	}
	asks := append(limit.Networks("note:", from.Network, notesPerNetwork, notesPerHouse), limit.Ask{Key: "notes", Rules: notesPerHouse})
	wait, _ := s.Limits.Take(asks...)
	if wait == 0 {
		s.Audit.Note(from, kind, audit.ByVisitor, "", f.Text)
	}
}

func cause(f *fault.Fault) string {
	if err := f.Unwrap(); err != nil {
		return err.Error()
	}
	return ""
}

// switchLanguage takes ?lang= off a page's address and remembers the choice.
func (s *Shell) switchLanguage(q *Request) (switched bool) {
	tag := ""
	if q.URL.RawQuery != "" && q.Method == http.MethodGet {
		tag = q.URL.Query().Get("lang")
	}
	if tag == "" {
		return false
	}
	s.Cookies.SetLanguage(q.W, s.Lang.For(tag).Tag())
	rest := slices.DeleteFunc(strings.Split(q.URL.RawQuery, "&"), func(pair string) bool {
		pairs, err := url.ParseQuery(pair)
		return err == nil && pairs.Has("lang")
	})
	http.Redirect(q.W, q.Request, links.Local((&url.URL{Path: q.URL.Path, RawPath: q.URL.RawPath, RawQuery: strings.Join(rest, "&")}).String()), http.StatusSeeOther)
	return true
}

// printer speaks the reader's language: what they chose, else what their
// browser asks for.
func (s *Shell) Printer(r *http.Request) lang.Printer {
	return s.Lang.For(s.Cookies.Language(r), r.Header.Get("Accept-Language")).In(s.Cookies.Zone(r))
}

// contentPolicy is the policy of our pages: nothing inline, nothing from
// elsewhere, in no frame.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// layout returns what every page needs, for a visitor.
func (s *Shell) Layout(r *http.Request) Layout {
	l := Layout{Instance: s.Name, Host: s.Origin.Host, Contact: s.Contact, Now: s.Now().In(s.Cookies.Zone(r)), Theme: s.Cookies.Theme(r)}
	l.Begun = l.Now.Unix()
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return l
	}
	if len(r.Header["Cookie"]) == 0 {
		l.Begun = 0 // it was filled wrongly, and the cookie may have been too old
	}
	l.Path = "/" // the answer to a form has an address for forms alone
	return l
}

// ref returns what a person can quote about a request.
func (s *Shell) Ref(r *http.Request, f *fault.Fault) Ref {
	return Ref{Reference: Reference(r), At: s.Now().UTC(), What: f.Text}
}

// render writes a page. It renders into memory first, so that an error can
// still become an error page.
func (s *Shell) Render(w http.ResponseWriter, r *http.Request, status int, name string, data any) error {
	var b bytes.Buffer
	if err := s.Templates.Render(&b, s.Printer(r), name, data); err != nil {
		return fmt.Errorf("rendering %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", contentPolicy)
	// Forms of a page with "no-referrer" are posted with "Origin: null" (Fetch, 3.2).
	// Where the browser or a proxy leaves out Sec-Fetch-Site, the Origin alone distinguishes
	// our forms from another site's.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	h.Add("Vary", "Accept-Language, Cookie")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		s.Log.Debug("the reader went away", "ref", Reference(r), "err", err)
	}
	return nil
}

// say puts a fault into the reader's words.
func (s *Shell) Say(p lang.Printer, f *fault.Fault, suffix string) string {
	return p.Say(f.Text+suffix, s.args(p, f)...)
}

// args adds to a fault's own arguments what every sentence may use.
func (s *Shell) args(p lang.Printer, f *fault.Fault) []any {
	seconds := int((f.Wait + time.Second - 1) / time.Second)
	args := append([]any{}, f.Args...)
	if f.Wait > 0 {
		args = append(args, "n", seconds, "seconds", seconds, "wait", p.Lasts(RoundUp(f.Wait)))
	}
	return append(args, "url", s.Origin.String(), "contact", s.Contact, "operator", s.Operator(p), "instance", s.Name)
}

// operator is what a sentence calls the operator of this server.
func (s *Shell) Operator(p lang.Printer) string {
	if s.Contact == "" {
		return p.Say("layout.operator")
	}
	return Layout{Contact: s.Contact}.ContactLink().Text
}

// roundUp makes a wait a whole number of the unit it is shown in.
func RoundUp(d time.Duration) time.Duration {
	unit := time.Second
	switch {
	case d > time.Hour:
		unit = time.Hour
	case d > time.Minute:
		unit = time.Minute
	}
	return (d + unit - 1) / unit * unit
}

// failPage shows the error page.
func (s *Shell) FailPage(q *Request, f *fault.Fault) {
	SetRetry(q.W, f)
	if err := q.Render(StatusOf(f), "error.html", s.ErrorPage(q, f)); err != nil {
		s.Log.ErrorContext(q.Context(), "the error page failed", "ref", Reference(q.Request), "err", err)
		http.Error(q.W, "Something went wrong here. Reference: "+Reference(q.Request), http.StatusInternalServerError)
	}
}

// failAPI answers with the fault as JSON.
func (s *Shell) FailAPI(w http.ResponseWriter, r *http.Request, f *fault.Fault) {
	SetRetry(w, f)
	body := struct {
		Error     string `json:"error"`
		Message   string `json:"message"`
		Reference string `json:"reference"`
	}{f.Text, s.Say(s.Printer(r), f, ".text"), Reference(r)}
	if err := WriteJSON(w, r, StatusOf(f), body); err != nil {
		s.Log.ErrorContext(r.Context(), "the error answer failed", "ref", Reference(r), "err", err)
	}
}

func SetRetry(w http.ResponseWriter, f *fault.Fault) {
	if f.Wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((f.Wait+time.Second-1)/time.Second)))
	}
}

func WriteJSON(w http.ResponseWriter, r *http.Request, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, err = w.Write(b)
	}
	return err
}

// redirect answers a form: 303, so that reloading sends nothing again.
func (s *Shell) Redirect(w http.ResponseWriter, r *http.Request, path string) error {
	http.Redirect(w, r, links.Local(path), http.StatusSeeOther)
	return nil
}

// finish ends a flow at target. On our own origin that is a redirect. A page's
// form-action 'self' forbids a form's answer to lead elsewhere, so another
// origin gets a page that goes on by itself and has a visible link.
func (s *Shell) Finish(w http.ResponseWriter, r *http.Request, target string, app Target) error {
	if strings.HasPrefix(target, "/") {
		return s.Redirect(w, r, target)
	}
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("a flow was to end at a target that is no address")
	}
	if app.Name == "" {
		app.Name = u.Host
	}
	app.Host = u.Host
	return s.Render(w, r, http.StatusOK, "continue.html", GoingToPage{Layout: s.Layout(r), Target: app, Href: u.String()})
}
