package web_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/apptest"
	"gatelodge/app/config"
	"gatelodge/app/factor/password"
	"gatelodge/app/mail/outbox"
	"gatelodge/app/secret"
	"gatelodge/store"
	"gatelodge/web"
)

// server is a whole server that answers HTTP.
type testServer struct {
	*apptest.Server
	t   testing.TB
	app *app.App
	web *web.Server
	srv *httptest.Server
	url string
}

func (h *testServer) pass(d time.Duration) { h.Pass(d) }
func (h *testServer) logged() string       { return h.Logged() }

// open starts a server. change may alter its configuration; a public URL that
// begins with https:// is what the server believes, though it is reached by http.
func open(t testing.TB, change func(*config.Config)) *testServer {
	t.Helper()
	return openAt(t, apptest.Cheap, change)
}

// openAt is open with a cost of passwords.
func openAt(t testing.TB, cost password.Cost, change func(*config.Config)) *testServer {
	t.Helper()
	h := &testServer{t: t, srv: httptest.NewUnstartedServer(nil)}
	h.Server = apptest.Open(t, apptest.Options{Cost: cost, Configure: func(c *config.Config) {
		c.Listen = h.srv.Listener.Addr().String()
		if change != nil {
			change(c)
		}
	}})
	h.app = h.App
	var err error
	if h.web, err = web.New(h.app); err != nil {
		t.Fatal(err)
	}
	h.srv.Config.Handler = h.web
	h.srv.Start()
	h.url = h.srv.URL
	t.Cleanup(h.srv.Close)
	return h
}

// begin adds a session of a user, with one of an App unless that is "", and returns
// both tokens: for tests of what a session opens.
func (h *testServer) begin(tx *store.Tx, userID, app string) (own, share string, row store.Session, err error) {
	own, share = secret.Token(), secret.Token()
	ownHash, _ := secret.Hash(own)
	now := h.Now()
	row = store.Session{
		ID: store.NewID(now), TokenHash: ownHash, UserID: userID, AMR: "email", AuthAt: now, CreatedAt: now, SeenAt: now,
		ExpiresAt: now.Add(30 * 24 * time.Hour), MaxExpiresAt: now.Add(180 * 24 * time.Hour),
	}
	if err := tx.AddSession(row); err != nil || app == "" {
		return own, "", row, err
	}
	hash, _ := secret.Hash(share)
	return own, share, row, tx.PutAppSession(store.AppSession{TokenHash: hash, App: app, SessionID: row.ID, CreatedAt: now})
}

func (h *testServer) user(email string) store.User     { return h.User(email) }
func (h *testServer) mail(n int) []outbox.Message      { return h.Mail(n) }
func (h *testServer) brings(ask func()) outbox.Message { return h.SignInMail(ask) }
func codeIn(t testing.TB, m outbox.Message) string     { return apptest.CodeIn(t, m) }

// browser is somebody with a cookie jar.
type browser struct {
	t       testing.TB
	h       *testServer
	client  *http.Client
	headers map[string]string
}

func (h *testServer) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return &browser{
		t: h.t, h: h,
		client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		headers: map[string]string{
			"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		},
	}
}

// reply is what came back.
type reply struct {
	*http.Response
	body string
}

func (b *browser) do(method, path string, form url.Values, headers ...string) reply {
	b.t.Helper()
	target := path
	if strings.HasPrefix(path, "/") {
		target = b.h.url + path
	}
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, target, body)
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.headers {
		req.Header.Set(name, value)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	return b.send(req)
}

func (b *browser) send(req *http.Request) reply {
	b.t.Helper()
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return reply{res, string(text)}
}

func (b *browser) get(path string, headers ...string) reply {
	b.t.Helper()
	return b.do(http.MethodGet, path, nil, headers...)
}

func (b *browser) post(path string, pairs ...string) reply {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return b.do(http.MethodPost, path, form)
}

// goesTo checks that an reply is a 303 to a path.
func (a reply) goesTo(t testing.TB, want string) {
	t.Helper()
	if got := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || got != want {
		t.Fatalf("got %d to %q, want 303 to %q\n%s", a.StatusCode, got, want, a.body)
	}
}

// is checks status and words of an reply.
func (a reply) is(t testing.TB, status int, words ...string) {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("got %d, want %d\n%s", a.StatusCode, status, a.body)
	}
	for _, want := range words {
		if !strings.Contains(a.body, want) {
			t.Errorf("lacks %q:\n%s", want, a.body)
		}
	}
}

// ask asks for a link and returns the mail that came.
func (b *browser) ask(email string) outbox.Message {
	b.t.Helper()
	return b.h.brings(func() { b.post("/signin", "identifier", email).goesTo(b.t, "/signin/code") })
}

// signInMails returns the captured sign-in mails, the newest first.
func (h *testServer) signInMails() (list []outbox.Message) {
	h.t.Helper()
	for _, m := range h.mail(0) {
		if m.Purpose == "signin" {
			list = append(list, m)
		}
	}
	return list
}

// signIn signs somebody in by the link in their mail.
func (b *browser) signIn(email string) {
	b.t.Helper()
	m := b.ask(email)
	b.get(b.path(m)).goesTo(b.t, "/account")
}

// path returns the path of a mail's link.
func (b *browser) path(m outbox.Message) string {
	b.t.Helper()
	u, err := url.Parse(m.Link)
	if err != nil || u.Path == "" {
		b.t.Fatalf("no link in the mail: %v", err)
	}
	return u.Path
}

// who returns the address of whoever the session API says is signed in, or "".
func (b *browser) who() string {
	b.t.Helper()
	a := b.get("/api/auth/session")
	if a.StatusCode != http.StatusOK {
		b.t.Fatalf("the session API answered %d", a.StatusCode)
	}
	if a.body == "null" {
		return ""
	}
	found := regexp.MustCompile(`"email":"([^"]*)"`).FindStringSubmatch(a.body)
	if found == nil {
		b.t.Fatalf("no address in %s", a.body)
	}
	return found[1]
}

func (b *browser) isSignedInAs(email string) {
	b.t.Helper()
	if got := b.who(); got != email {
		b.t.Fatalf("signed in as %q, want %q", got, email)
	}
}

func isHTTPS(c *config.Config) { c.PublicURL = "https://auth.home.example" }
