// Package apptest opens a whole server for any test: every service on a real store, a
// clock that the test moves, and mail that is captured. It answers no HTTP; package web's
// tests add that.
package apptest

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/config"
	"gatelodge/app/factor/password"
	"gatelodge/app/lang"
	"gatelodge/store"
	"gatelodge/store/storetest"
)

// Midday is what the clock of a server shows when it opens.
var Midday = storetest.Now

// Cheap is the least that a password's hash can cost.
var Cheap = password.Cost{Memory: 64, Passes: 1, Lanes: 1}

// Options are what a test wants otherwise. The zero value is a server on SQLite with the
// configuration of a first start.
type Options struct {
	// Configure changes the configuration. For PostgreSQL it sets Database to the Name of
	// a storetest.Postgres.
	Configure func(*config.Config)
	Dir       string        // of the data; "" is a new one that ends with the test
	Start     time.Time     // zero is Midday
	Cost      password.Cost // zero is Cheap
}

// Server is a running server.
type Server struct {
	*app.App

	t    testing.TB
	stop func()
	shut bool

	mu  sync.Mutex
	now time.Time
	log strings.Builder
}

// Open starts a server that is stopped when the test ends.
func Open(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{t: t, now: o.Start}
	if s.now.IsZero() {
		s.now = Midday
	}
	if o.Cost == (password.Cost{}) {
		o.Cost = Cheap
	}
	c := config.Default()
	if c.DataDir = o.Dir; c.DataDir == "" {
		c.DataDir = storetest.Dir(t)
	}
	if o.Configure != nil {
		o.Configure(&c)
	}
	if c.Database.Reveal() == "" {
		startFromTemplate(t, c.DataDir)
	}
	catalog, err := sentences()
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if s.App, err = app.Open(t.Context(), &c, app.Options{Now: s.Now, Cost: o.Cost, Lang: catalog, Log: log}); err != nil {
		t.Fatal(err)
	}
	s.run()
	t.Cleanup(s.close)
	return s
}

// run starts the work in the background.
func (s *Server) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	s.stop = func() { cancel(); <-done }
}

// Stop ends what the server does beside answering: no mail is sent any more.
func (s *Server) Stop() { s.stop() }

// CloseStore closes the store under the server, as when its disk is gone.
func (s *Server) CloseStore() {
	s.t.Helper()
	s.shut = true
	if err := s.DB.Close(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) close() {
	s.stop()
	if s.t.Failed() {
		for line := range strings.Lines(s.Logged()) {
			if strings.Contains(line, "level=ERROR") {
				s.t.Log(strings.TrimSpace(line))
			}
		}
	}
	if s.shut {
		return
	}
	if err := s.App.Close(); err != nil {
		s.t.Error(err)
	}
}

// Now returns what the server's clock shows.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Pass moves the server's clock.
func (s *Server) Pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// Write takes lines of the server's log.
func (s *Server) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(b)
}

// Logged returns the server's log.
func (s *Server) Logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// sentences are the same in every server.
var sentences = sync.OnceValues(lang.Load)

// template is what a first start writes: making it takes longer than most tests.
var template = sync.OnceValues(func() (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "gatelodge")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	db, err := store.Open(context.Background(), store.Options{Dir: dir, Now: func() time.Time { return Midday }})
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	files := make(map[string][]byte)
	for _, name := range []string{"gatelodge.db", "secret.key"} {
		if files[name], err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	return files, nil
})

// startFromTemplate fills a directory in which no server has run.
func startFromTemplate(t testing.TB, dir string) {
	t.Helper()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		return
	}
	files, err := template()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
