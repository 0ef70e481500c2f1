package web

import (
	"net/http"

	"gatelodge/app/factor"
	"gatelodge/app/fault"
	"gatelodge/app/login"
	"gatelodge/store"
	"gatelodge/web/shell"
)

// ErrorPage is the page that a fault becomes.
func (s *Server) ErrorPage(r *http.Request, f *fault.Fault) ErrorPage {
	return s.errorPage(s.Request(nil, r), f)
}

// Routes returns every route.
func (s *Server) Routes() []shell.Route { return s.routes() }

// Paths returns the patterns of all routes with that method.
func (s *Server) Paths(method string) []string {
	var list []string
	for _, rt := range s.routes() {
		if rt.Method == method && rt.Action == nil {
			list = append(list, rt.Path)
		}
	}
	return list
}

// AskFor has the server ask for a word at the second step of an attempt that needs it.
// Whoever types it has proven themselves by those means.
func (s *Server) AskFor(need login.Need, word string, m factor.Means) {
	s.steps = map[login.Need]step{need: {
		get: func(q *shell.Request, _ shell.Attempt) error {
			_, err := q.W.Write([]byte("Type the word"))
			return err
		},
		post: func(q *shell.Request, a shell.Attempt) error {
			out, err := s.Login.Step(q.Context(), q.From(), &a.Login, m, func(*store.Tx, store.User) error {
				if q.PostForm.Get("word") != word {
					return fault.New(fault.Invalid, "code.wrong")
				}
				return nil
			}, q.SessionToken())
			return s.proven(q, a, out, err)
		},
	}}
}
