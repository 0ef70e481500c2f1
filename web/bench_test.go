package web_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"gatelodge/app/apps/authjs"
	"gatelodge/app/config"
	"gatelodge/app/mail/mailtest"
	"gatelodge/store"
)

// bareHandler answers 200 with the headers and a body of the size of ours: what
// net/http alone can do.
func bareHandler(like reply) http.Handler {
	body := []byte(like.body)
	header := like.Header.Clone()
	header.Del("Date")
	header.Del("Content-Length")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for name, values := range header {
			h[name] = values
		}
		w.Write(body)
	})
}

// signedInRequest opens a server and returns it with the bytes of a session check
// by somebody who is signed in, among n others.
func signedInRequest(b *testing.B, n int) (*testServer, string, reply) {
	b.Helper()
	h := open(b, nil)
	h.user("mara@home.example")
	seed(b, h, n)
	mara := h.browser()
	mara.signIn("mara@home.example")
	answer := mara.get("/api/auth/session")
	if !strings.Contains(answer.body, "mara@home.example") {
		b.Fatal(answer.body)
	}
	var cookies []string
	u := mustURL(b, h.url)
	for _, c := range mara.client.Jar.Cookies(u) {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	return h, "GET /api/auth/session HTTP/1.1\r\nHost: " + u.Host + "\r\nCookie: " + strings.Join(cookies, "; ") + "\r\n\r\n", answer
}

func seed(b *testing.B, h *testServer, n int) {
	b.Helper()
	now := h.Now()
	for done := 0; done < n; {
		err := h.app.DB.Update(b.Context(), func(tx *store.Tx) error {
			for range min(500, n-done) {
				id := store.NewID(now)
				u := store.User{ID: id, Email: id + "@x.example", EmailNorm: id + "@x.example", CreatedAt: now, UpdatedAt: now}
				if err := tx.AddUser(u); err != nil {
					return err
				}
				if _, _, _, err := h.begin(tx, id, ""); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		done += min(500, n-done)
	}
}

// load sends the request over connections that stay open, as fast as answers
// come, and fails on anything but 200.
func load(b *testing.B, address, request string) {
	b.Helper()
	b.SetParallelism(16)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		r := bufio.NewReader(conn)
		for pb.Next() {
			if _, err := io.WriteString(conn, request); err != nil {
				b.Error(err)
				return
			}
			res, err := http.ReadResponse(r, nil)
			if err != nil || res.StatusCode != http.StatusOK {
				b.Errorf("%v, %v", res, err)
				return
			}
			if _, err := io.Copy(io.Discard, res.Body); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkSessionCheck compares GET /api/auth/session of somebody signed in
// among 10,000 sessions with a bare handler that says the same: the handlers
// alone, and whole servers under 32 connections.
func BenchmarkSessionCheck(b *testing.B) {
	h, request, answer := signedInRequest(b, 10_000)
	compareWithBare(b, h, request, answer)
}

// BenchmarkSessionCheckAtAnApp is the same at an App, by each cookie that it may
// have.
func BenchmarkSessionCheckAtAnApp(b *testing.B) {
	for _, tt := range []struct{ name, version, more string }{
		{"opaque", "v5", ""}, {"encrypted-v4", "v4", "secret = \"" + appSecret + "\"\n"}, {"encrypted-v5", "v5", "secret = \"" + appSecret + "\"\n"},
	} {
		b.Run(tt.name, func(b *testing.B) {
			h := wiki(b, tt.version, tt.more)
			c := h.browser().authjs(tt.version)
			cookie := c.signInByMail("mara@home.example").cookie(authjs.ByVersion(tt.version).Names(false).Session)
			answer := c.get("/api/auth/session")
			compareWithBare(b, h, "GET /api/auth/session HTTP/1.1\r\nHost: "+c.host+"\r\nCookie: "+cookie.Name+"="+cookie.Value+"\r\n\r\n", answer)
		})
	}
}

// compareWithBare answers a request by the server and by a bare handler.
func compareWithBare(b *testing.B, h *testServer, request string, answer reply) {
	b.Helper()
	if !strings.Contains(answer.body, "mara@home.example") {
		b.Fatal(answer.body)
	}
	bare := bareHandler(answer)
	for _, tt := range []struct {
		name    string
		handler http.Handler
	}{{"bare", bare}, {"gatelodge", h.web}} {
		b.Run("handler/"+tt.name, func(b *testing.B) {
			req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request)))
			if err != nil {
				b.Fatal(err)
			}
			req.RemoteAddr = "127.0.0.1:1"
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				tt.handler.ServeHTTP(w, req)
				if w.Code != 200 {
					b.Fatal(w.Code)
				}
			}
		})
		b.Run("server/"+tt.name, func(b *testing.B) {
			srv := httptest.NewServer(tt.handler)
			defer srv.Close()
			load(b, srv.Listener.Addr().String(), request)
		})
	}
}

// BenchmarkAskForLink is POST /signin while every mail server is dead: the page
// must not notice. It reports the time that one request in a hundred exceeds.
func BenchmarkAskForLink(b *testing.B) {
	b.Run("smarthost", func(b *testing.B) {
		askForLink(b, func(c *config.Config) {
			c.Mail.Mode, c.Mail.From, c.Mail.Smarthost.URL = "smarthost", "login@home.example", "smtp://127.0.0.1:1"
		})
	})
	for name, silent := range map[string]bool{"direct": false, "direct, and DNS silent": true} {
		b.Run(name, func(b *testing.B) {
			dns := mailtest.ServeDNS(b)
			dns.MX("home.example", 10, "mx.home.example")
			dns.A("mx.home.example", "127.0.0.1") // where nobody listens at that port
			dns.Silent(silent)
			askForLink(b, func(c *config.Config) {
				c.Mail.EHLOName = "auth.home.example"
				c.Mail.Mode, c.Mail.From, c.Mail.Resolver = "direct", "login@home.example", dns.Address
				c.Mail.MXPort, c.Mail.AllowPrivateDestinations = 1, true
			})
		})
	}
}

func askForLink(b *testing.B, change func(*config.Config)) {
	h := open(b, change)
	h.user("mara@home.example")
	var took []time.Duration
	for b.Loop() {
		h.pass(24 * time.Hour)
		asker := h.browser()
		start := time.Now()
		asker.post("/signin", "identifier", "mara@home.example").goesTo(b, "/signin/code")
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
