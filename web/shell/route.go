package shell

import (
	"net/http"
	"time"

	"gatelodge/app/fault"
)

// CSRF says what keeps a page of another site from using a route.
type CSRF int

// What protects a route that changes something.
const (
	// OwnPages refuses forms of other sites: browsers say by Sec-Fetch-Site or Origin which site a form is of.
	OwnPages CSRF = iota
	// OwnSite leaves that to the session API, which asks for the site of the App, and
	// takes a token where browsers say nothing.
	OwnSite
)

// Route is one method at one path, and all that is decided about it beforehand. GET
// stands for HEAD too.
type Route struct {
	Method, Path string
	Guard        Guard
	// Renews says that the session gets a new token first: what is done then is worth
	// most to a thief with a copy of the cookie.
	Renews bool
	// Back is the page of the form that the route takes, with the route's own
	// parameters: there people get when they had to sign in or prove themselves first.
	Back string
	// Keeps are the fields of the form that may wait in the browser meanwhile.
	Keeps []string
	// MaxBody bounds the request; 0 is MaxForm, and -1 means that the handler does.
	MaxBody int64
	CSRF    CSRF

	// One of these answers.
	Page   func(*Request) error // a page
	API    func(*Request) error // JSON for programs
	Action http.Handler         // the session API, which tells by itself
	Plain  http.Handler         // neither people nor sessions are looked at
}

// Methods returns those that the route answers.
func (rt *Route) Methods() []string {
	if rt.Method == http.MethodGet {
		return []string{http.MethodGet, http.MethodHead}
	}
	return []string{rt.Method}
}

// Handler returns what answers at a route that is not of the session API.
func (s *Shell) Handler(rt *Route) http.Handler {
	switch {
	case rt.Plain != nil:
		return rt.Plain
	case rt.API != nil:
		return s.serve(rt, false, func(q *Request) error {
			if s.cross.Check(q.Request) != nil {
				return ErrCross
			}
			return q.pass(rt.API)
		}, func(q *Request, f *fault.Fault) { s.FailAPI(q.W, q.Request, f) })
	}
	return s.serve(rt, true, func(q *Request) error {
		if !s.RightHost(q.Request) {
			return ErrHost
		}
		if s.cross.Check(q.Request) != nil {
			return ErrCross
		}
		if s.switchLanguage(q) {
			return nil
		}
		if q.Method == http.MethodPost {
			if err := q.ParseForm(); err != nil {
				return BadForm(err)
			}
		}
		return q.pass(rt.Page)
	}, s.FailPage)
}

// pass lets the request through the guard of its route to what answers it.
func (q *Request) pass(h func(*Request) error) error {
	err := q.admit()
	if err == nil {
		err = h(q)
	}
	return q.answer(err)
}

// bound keeps a request from sending more than a route takes.
func bound(w http.ResponseWriter, r *http.Request, most int64) {
	if most == 0 {
		most = MaxForm
	}
	if r.Body != http.NoBody && most > 0 {
		r.Body = http.MaxBytesReader(w, r.Body, most)
	}
}

// serve serves h at a route.
func (s *Shell) serve(rt *Route, logged bool, h func(*Request) error, fail func(*Request, *fault.Fault)) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w := &statusWriter{ResponseWriter: rw}
		r.Pattern = rt.Path
		q := &Request{Request: r, W: w, shell: s, route: rt}
		bound(rw, r, rt.MaxBody)
		start := time.Now()
		if err := safely(func(http.ResponseWriter, *http.Request) error { return h(q) }, w, r); err != nil {
			s.failed(w, r, q.From(), err, func(f *fault.Fault) { fail(q, f) })
		}
		s.logAnswer(w, r, logged, start)
	})
}
