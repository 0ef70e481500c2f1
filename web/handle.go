package web

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

// handlerFunc answers a request, or returns an error and has written nothing.
type handlerFunc func(w http.ResponseWriter, r *http.Request) error

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
func (s *Server) handle(pattern string, h handlerFunc, fail func(http.ResponseWriter, *http.Request, *fault.Fault)) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w := &statusWriter{ResponseWriter: rw}
		r.Pattern = pattern
		bound(rw, r, maxForm)
		start := time.Now()
		if err := safely(h, w, r); err != nil {
			s.failed(w, r, s.from(r), err, func(f *fault.Fault) { fail(w, r, f) })
		}
		s.logAnswer(w, r, false, start)
	})
}

// failed is the one place where errors become statuses, sentences and log lines.
func (s *Server) failed(w *statusWriter, r *http.Request, from audit.Origin, err error, fail func(*fault.Fault)) {
	f := s.known(err)
	s.note(from, r, f, err)
	if w.status == 0 {
		fail(f)
	}
}

// logAnswer writes the access log. Answers of 2xx are logged for pages alone: programs
// ask often. The route is logged, never the path, which may hold a token.
func (s *Server) logAnswer(w *statusWriter, r *http.Request, always bool, start time.Time) {
	if always || w.status >= 300 {
		s.Log.InfoContext(r.Context(), "request", "ref", reference(r), "method", r.Method, "route", routeOf(r),
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
func safely(h handlerFunc, w http.ResponseWriter, r *http.Request) (err error) {
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
func (s *Server) known(err error) *fault.Fault {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, store.ErrFull):
		return errDiskFull.After(time.Minute).Because(err)
	case errors.Is(err, store.ErrReadOnly), errors.Is(err, store.ErrUnreachable), errors.Is(err, store.ErrClosed), errors.Is(err, store.ErrCorrupt),
		errors.Is(err, store.ErrBusy), errors.Is(err, store.ErrIO):
		return errUnavailable.After(time.Minute).Because(err)
	case errors.As(err, &tooLarge):
		return errTooLarge
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
func (s *Server) refused(r *http.Request, f *fault.Fault) { s.note(s.from(r), r, f, f) }

// note writes down a refusal or failure under the request's Reference.
func (s *Server) note(from audit.Origin, r *http.Request, f *fault.Fault, err error) {
	s.Recent.Add(audit.Refusal{At: s.Now(), From: from, Route: r.Method + " " + routeOf(r), Status: statusOf(f), What: f.Text, Cause: cause(f)})
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
func (s *Server) switchLanguage(q *Request) (switched bool) {
	tag := ""
	if q.URL.RawQuery != "" && q.Method == http.MethodGet {
		tag = q.URL.Query().Get("lang")
	}
	if tag == "" {
		return false
	}
	s.cookies.setLanguage(q.W, s.Lang.For(tag).Tag())
	rest := slices.DeleteFunc(strings.Split(q.URL.RawQuery, "&"), func(pair string) bool {
		pairs, err := url.ParseQuery(pair)
		return err == nil && pairs.Has("lang")
	})
	http.Redirect(q.W, q.Request, links.Local((&url.URL{Path: q.URL.Path, RawPath: q.URL.RawPath, RawQuery: strings.Join(rest, "&")}).String()), http.StatusSeeOther)
	return true
}

// printer speaks the reader's language: what they chose, else what their
// browser asks for.
func (s *Server) printer(r *http.Request) lang.Printer {
	return s.Lang.For(s.cookies.language(r), r.Header.Get("Accept-Language")).In(s.cookies.zone(r))
}

// contentPolicy is the policy of our pages: nothing inline, nothing from
// elsewhere, in nobody's frame.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// layout returns what every page needs, for a reader nobody knows.
func (s *Server) layout(r *http.Request) Layout {
	l := Layout{Instance: s.Name, Host: s.Origin.Host, Contact: s.Contact, Now: s.Now().In(s.cookies.zone(r)), Theme: s.cookies.theme(r)}
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
func (s *Server) ref(r *http.Request, f *fault.Fault) Ref {
	return Ref{Reference: reference(r), At: s.Now().UTC(), What: f.Text}
}

// render writes a page. It renders into memory first, so that an error can
// still become an error page.
func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, name string, data any) error {
	var b bytes.Buffer
	if err := s.templates.Render(&b, s.printer(r), name, data); err != nil {
		return fmt.Errorf("rendering %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", contentPolicy)
	// Forms of a page with "no-referrer" are posted with "Origin: null" (Fetch, 3.2).
	// Where the browser or a proxy leaves out Sec-Fetch-Site, the Origin alone tells
	// our forms from another site's.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	h.Add("Vary", "Accept-Language, Cookie")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		s.Log.Debug("the reader went away", "ref", reference(r), "err", err)
	}
	return nil
}

// say puts a fault into the reader's words.
func (s *Server) say(p lang.Printer, f *fault.Fault, suffix string) string {
	return p.Say(f.Text+suffix, s.args(p, f)...)
}

// args adds to a fault's own arguments what every sentence may use.
func (s *Server) args(p lang.Printer, f *fault.Fault) []any {
	seconds := int((f.Wait + time.Second - 1) / time.Second)
	args := append([]any{}, f.Args...)
	if f.Wait > 0 {
		args = append(args, "n", seconds, "seconds", seconds, "wait", p.Lasts(roundUp(f.Wait)))
	}
	return append(args, "url", s.Origin.String(), "contact", s.Contact, "operator", s.operator(p), "instance", s.Name)
}

// operator is what a sentence calls whoever runs this server.
func (s *Server) operator(p lang.Printer) string {
	if s.Contact == "" {
		return p.Say("layout.operator")
	}
	return Layout{Contact: s.Contact}.ContactLink().Text
}

// roundUp makes a wait a whole number of what it is told in.
func roundUp(d time.Duration) time.Duration {
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
func (s *Server) failPage(q *Request, f *fault.Fault) {
	setRetry(q.W, f)
	if err := q.Render(statusOf(f), "error.html", s.errorPage(q, f)); err != nil {
		s.Log.ErrorContext(q.Context(), "the error page failed", "ref", reference(q.Request), "err", err)
		http.Error(q.W, "Something went wrong here. Reference: "+reference(q.Request), http.StatusInternalServerError)
	}
}

// failAPI answers with the fault as JSON.
func (s *Server) failAPI(w http.ResponseWriter, r *http.Request, f *fault.Fault) {
	setRetry(w, f)
	body := struct {
		Error     string `json:"error"`
		Message   string `json:"message"`
		Reference string `json:"reference"`
	}{f.Text, s.say(s.printer(r), f, ".text"), reference(r)}
	if err := writeJSON(w, r, statusOf(f), body); err != nil {
		s.Log.ErrorContext(r.Context(), "the error answer failed", "ref", reference(r), "err", err)
	}
}

func setRetry(w http.ResponseWriter, f *fault.Fault) {
	if f.Wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((f.Wait+time.Second-1)/time.Second)))
	}
}

func writeJSON(w http.ResponseWriter, r *http.Request, status int, v any) error {
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
func (s *Server) redirect(w http.ResponseWriter, r *http.Request, path string) error {
	http.Redirect(w, r, links.Local(path), http.StatusSeeOther)
	return nil
}

// finish ends a flow at target. On our own origin that is a redirect. A page's
// form-action 'self' forbids a form's answer to lead elsewhere, so another
// origin gets a page that goes on by itself and has a visible link.
func (s *Server) finish(w http.ResponseWriter, r *http.Request, target string, app Target) error {
	if strings.HasPrefix(target, "/") {
		return s.redirect(w, r, target)
	}
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("a flow was to end at a target that is no address")
	}
	if app.Name == "" {
		app.Name = u.Host
	}
	app.Host = u.Host
	return s.render(w, r, http.StatusOK, "continue.html", GoingToPage{Layout: s.layout(r), Target: app, Href: u.String()})
}
