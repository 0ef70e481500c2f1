package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"gatelodge/web/shell"
)

// probes answer those who watch the server. They remember for a moment whether the store
// takes writes, so that asking often does not write often.
type probes struct {
	*pages
	write func(context.Context) error // whether the store takes writes

	mu  sync.Mutex
	at  time.Time
	err error
}

const readyFor = time.Second

func (s *probes) ready(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.Now(); s.at.IsZero() || now.Sub(s.at) > readyFor {
		err := s.write(ctx)
		if errors.Is(err, context.Canceled) {
			return err // the asker went away; that says nothing about the store
		}
		s.at, s.err = now, err
	}
	return s.err
}

// getHealth says that the process is alive.
func (s *probes) getHealth(w http.ResponseWriter, r *http.Request) {
	writeText(w, r, http.StatusOK, "ok\n")
}

// getReady says whether a sign-in could be written down: the store takes writes
// and the key opens it. What is wrong is for the log, not for strangers.
func (s *probes) getReady(w http.ResponseWriter, r *http.Request) {
	if err := s.ready(r.Context()); err != nil {
		s.Log.Error("not ready", "ref", shell.Reference(r), "err", err)
		writeText(w, r, http.StatusServiceUnavailable, "not ready: the store takes no writes; the log has the reason under "+shell.Reference(r)+"\n")
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
