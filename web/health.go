package web

import (
	"io"
	"net/http"
)

// getHealth says that the process is alive.
func (s *Server) getHealth(w http.ResponseWriter, r *http.Request) {
	writeText(w, r, http.StatusOK, "ok\n")
}

// getReady says whether a sign-in could be written down: the store takes writes
// and the key opens it. What is wrong is for the log, not for strangers.
func (s *Server) getReady(w http.ResponseWriter, r *http.Request) {
	if err := s.ready(r.Context()); err != nil {
		s.Log.Error("not ready", "ref", reference(r), "err", err)
		writeText(w, r, http.StatusServiceUnavailable, "not ready: the store takes no writes; the log has the reason under "+reference(r)+"\n")
		return
	}
	writeText(w, r, http.StatusOK, "ready\n")
}

func (s *Server) getFavicon(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, s.assets.URL("mark.svg"), http.StatusFound)
}

func (s *Server) getRobots(w http.ResponseWriter, r *http.Request) {
	writeText(w, r, http.StatusOK, "User-agent: *\nDisallow: /\n")
}

func writeText(w http.ResponseWriter, r *http.Request, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, text) // whoever asked has gone away
	}
}
