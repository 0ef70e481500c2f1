package web

import (
	"net/http"

	"gatelodge/app/fault"
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
