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

// page serves a page at a route: the one place where errors become statuses,
// sentences and log lines. The route is logged, never the path, which may hold
// a token.
func (s *Server) page(pattern string, h handlerFunc) http.Handler {
	return s.handle(pattern, true, s.ownHost(s.languageSwitch(h)), s.failPage)
}

// handle serves h at a route. Answers of 2xx are logged for pages alone:
// programs ask often.
func (s *Server) handle(pattern string, logged bool, h handlerFunc, fail func(http.ResponseWriter, *http.Request, *fault.Fault)) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w := &statusWriter{ResponseWriter: rw}
		r.Pattern = pattern
		start := time.Now()
		err := safely(h, w, r)
		if err != nil {
			f := s.known(err)
			s.note(r, f, err)
			if w.status == 0 {
				fail(w, r, f)
			}
		}
		if logged || w.status >= 300 {
			s.Log.InfoContext(r.Context(), "request", "ref", reference(r), "method", r.Method, "route", routeOf(r),
				"status", w.status, "ip", s.Proxies.Client(r).String(), "for", time.Since(start).Round(time.Microsecond))
		}
	})
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

// note writes down a refusal or failure under the request's Reference.
func (s *Server) note(r *http.Request, f *fault.Fault, err error) {
	from := s.from(r)
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

// ownHost refuses pages at a host that is not ours.
func (s *Server) ownHost(h handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !s.rightHost(r) {
			return errHost
		}
		return h(w, r)
	}
}

// languageSwitch takes ?lang= off a page's address and remembers the choice.
func (s *Server) languageSwitch(h handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		tag := ""
		if r.URL.RawQuery != "" && r.Method == http.MethodGet {
			tag = r.URL.Query().Get("lang")
		}
		if tag == "" {
			return h(w, r)
		}
		s.cookies.setLanguage(w, s.Lang.For(tag).Tag())
		rest := slices.DeleteFunc(strings.Split(r.URL.RawQuery, "&"), func(pair string) bool {
			pairs, err := url.ParseQuery(pair)
			return err == nil && pairs.Has("lang")
		})
		http.Redirect(w, r, links.Local((&url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: strings.Join(rest, "&")}).String()), http.StatusSeeOther)
		return nil
	}
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
func (s *Server) failPage(w http.ResponseWriter, r *http.Request, f *fault.Fault) {
	setRetry(w, f)
	if err := s.render(w, r, statusOf(f), "error.html", s.errorPage(r, f)); err != nil {
		s.Log.ErrorContext(r.Context(), "the error page failed", "ref", reference(r), "err", err)
		http.Error(w, "Something went wrong here. Reference: "+reference(r), http.StatusInternalServerError)
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
