package web

import (
	"net/http"

	"gatelodge/app/factor"
	"gatelodge/app/fault"
	"gatelodge/app/login"
	"gatelodge/store"
)

// ErrorPage is the page that a fault becomes.
func (s *Server) ErrorPage(r *http.Request, f *fault.Fault) ErrorPage { return s.errorPage(r, f) }

// Paths returns the patterns of all routes with that method.
func (s *Server) Paths(method string) []string {
	var list []string
	for _, r := range routes() {
		if r.method == method {
			list = append(list, r.path)
		}
	}
	for _, r := range s.others() {
		if r.method == method {
			list = append(list, r.path)
		}
	}
	return list
}

// AskFor has the server ask for a word at the second step of an attempt that needs it.
// Whoever types it has proven themselves by those means.
func (s *Server) AskFor(need login.Need, word string, m factor.Means) {
	s.steps = map[login.Need]step{need: {
		get: func(w http.ResponseWriter, _ *http.Request, _ attempt) error {
			_, err := w.Write([]byte("Type the word"))
			return err
		},
		post: func(w http.ResponseWriter, r *http.Request, a attempt) error {
			out, err := s.Login.Step(r.Context(), s.from(r), &a.Login, m, func(*store.Tx, store.User) error {
				if r.PostForm.Get("word") != word {
					return fault.New(fault.Invalid, "code.wrong")
				}
				return nil
			}, s.cookies.sessionToken(r))
			return s.proven(w, r, a, out, err)
		},
	}}
}
