package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// clients returns the directory with the npm packages that testdata/authjs names,
// or skips.
func clients(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("GATELODGE_NPM")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "next-auth-v4", "package.json")); dir != "" && err == nil {
		return dir
	}
	const missing = "the npm packages of web/e2e/testdata/authjs are not installed, or GATELODGE_NPM does not name where"
	if os.Getenv("GATELODGE_PEERS") == "require" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// bundle returns the test's page with one generation of the client in it.
func bundle(t testing.TB, modules, version string) string {
	t.Helper()
	return esbuild(t, modules, "page.jsx", "--minify", "--alias:next-auth/react=next-auth-"+version+"/react",
		"--define:process.env.NODE_ENV=\"production\"", "--define:process.env.NEXTAUTH_URL=undefined", "--define:process.env.NEXTAUTH_URL_INTERNAL=undefined",
		"--define:process.env.VERCEL_URL=undefined", "--define:process.env.__NEXT_TRAILING_SLASH=undefined")
}

// esbuild bundles a file of testdata/authjs with the packages it imports.
func esbuild(t testing.TB, modules, file string, flags ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.js")
	args := append([]string{filepath.Join("testdata", "authjs", file), "--bundle", "--outfile=" + out, "--log-level=error"}, flags...)
	cmd := exec.Command(filepath.Join(modules, "node_modules", ".bin", "esbuild"), args...)
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(modules, "node_modules"))
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("bundling %s: %v\n%s", file, err, text)
	}
	return out
}

// notes is an app at an address of its own: a page with the client in it, and a
// proxy that passes /api/auth/ on to the program.
type notes struct {
	*program
	origin string
}

const sharedSecret = "0123456789abcdef0123456789abcdef-notes"

func startNotes(t testing.TB, version, script string) *notes {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := "localhost:" + strings.TrimPrefix(l.Addr().String(), "127.0.0.1:")
	n := &notes{origin: "http://" + host}
	n.program = start(t, fmt.Sprintf("[[app]]\nname = \"Notes\"\nhosts = [%q]\nallow = [\"everyone\"]\n[app.authjs]\nversion = %q\nsecret = %q\n", host, version, sharedSecret))
	target, err := url.Parse(n.url)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/api/auth/", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target) // with the program's own Host, as next.config's rewrites do
		r.SetXForwarded()
	}})
	mux.HandleFunc("/app.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, script) })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<!doctype html><html lang="en"><title>Notes</title><link rel="icon" href="data:,"><div id="root"></div><script src="/app.js"></script></html>`)
	})
	front := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go front.Serve(l)
	t.Cleanup(func() { front.Close() })
	return n
}

// call runs an expression of the page that may be a promise, and reads its
// value into v.
func (b *browser) call(expression string, v any) {
	b.t.Helper()
	var text string
	b.run(chromedp.Evaluate(`Promise.resolve(`+expression+`).then(x => JSON.stringify(x ?? null))`, &text,
		func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	if err := json.Unmarshal([]byte(text), v); err != nil {
		b.t.Fatalf("%s gives %s: %v", expression, text, err)
	}
}

// shows waits until an element of the page has a text. The page may be on its way to
// another: between two pages there is nothing to ask, and Chromium answers with an error.
func (b *browser) shows(id, want string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	for got := ""; ; time.Sleep(10 * time.Millisecond) {
		err := chromedp.Run(ctx, chromedp.Evaluate(fmt.Sprintf(`document.getElementById(%q)?.textContent ?? ""`, id), &got))
		if err == nil && got == want {
			return
		}
		if ctx.Err() != nil {
			b.t.Fatalf("#%s is %q, want %q; the last answer: %v\n%s", id, got, want, err, b.page())
		}
	}
}

// cookies returns the browser's cookies for an address, as a header has them.
func (b *browser) cookies(address string) string {
	b.t.Helper()
	var pairs []string
	b.run(chromedp.ActionFunc(func(ctx context.Context) error {
		list, err := network.GetCookies().WithURLs([]string{address}).Do(ctx)
		for _, c := range list {
			pairs = append(pairs, c.Name+"="+c.Value)
		}
		return err
	}))
	return strings.Join(pairs, "; ")
}

// result is what signIn gives.
type result struct {
	Error, Code, URL *string
	Status           int
	OK               bool
}

var appLink = regexp.MustCompile(`(?m)^  (http\S+/api/auth/callback/\S+)$`)

// The unmodified client of both generations in a real browser, from signed out to
// signed out again, with the cookie read by the app's own server in between.
func TestNextAuthClient(t *testing.T) {
	modules := clients(t)
	for _, version := range []string{"v4", "v5"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			n := startNotes(t, version, bundle(t, modules, version))
			n.command("user", "add", "mara@home.example", "-name", "Mara Okafor")
			b := person(t)
			email := map[string]string{"v4": "email", "v5": "nodemailer"}[version]

			b.open(n.origin + "/")
			b.shows("status", "unauthenticated")
			var providers map[string]struct{ ID, Type, SigninURL, CallbackURL string }
			b.call(`auth.getProviders()`, &providers)
			if p := providers[email]; p.Type != "email" || p.SigninURL != n.origin+"/api/auth/signin/"+email {
				t.Errorf("got %+v", providers)
			}
			var first, second string
			b.call(`auth.getCsrfToken()`, &first)
			b.call(`auth.getCsrfToken()`, &second)
			if first != second || len(first) != 64 {
				t.Errorf("the CSRF tokens are %q and %q", first, second)
			}

			// A link by mail; foreign targets end at home.
			var r result
			b.call(`auth.signIn("`+email+`", {email: "no address", redirect: false})`, &r)
			if r.Error == nil {
				t.Errorf("a bad address gives %+v", r)
			}
			r = result{}
			b.call(`auth.signIn("`+email+`", {email: "mara@home.example", redirect: false, callbackUrl: "https://evil.example/"})`, &r)
			if r.Error != nil || !r.OK || r.Status != 200 || r.URL == nil || !strings.HasPrefix(*r.URL, n.origin+"/api/auth/verify-request?provider="+email) {
				t.Errorf("asking for a link gives %+v", r)
			}
			link := n.wait(appLink)
			b.open(link)
			b.shows("email", "mara@home.example")
			b.shows("status", "authenticated")
			b.shows("name", "Mara Okafor")

			// A second tab knows, and update reaches the page.
			var updated struct{ User struct{ Name, Email string } }
			b.call(`update({name: "Mara O.", email: "boss@home.example"})`, &updated)
			if updated.User.Name != "Mara O." || updated.User.Email != "mara@home.example" {
				t.Errorf("update gives %+v", updated)
			}
			b.shows("name", "Mara O.")
			tab, cancel := chromedp.NewContext(b.ctx)
			defer cancel()
			if err := chromedp.Run(tab); err != nil { // the tab lives as long as this context
				t.Fatal(err)
			}
			other := &browser{t: t, ctx: tab}
			other.open(n.origin + "/members")
			other.shows("members", "authenticated")

			cookie := b.cookies(n.origin)
			inNode(t, modules, version, cookie)

			// Signed out here is signed out in the other tab, and the old cookie is dead.
			b.call(`auth.signOut({redirect: false})`, &struct{}{})
			b.shows("status", "unauthenticated")
			other.run(chromedp.WaitVisible(`//h1[normalize-space()="Sign in"]`, chromedp.BySearch))
			if got := session(t, n.origin, cookie); got != map[string]string{"v4": "{}", "v5": "null"}[version] {
				t.Errorf("the old cookie still opens: %s", got)
			}

			// With our own pages: one sign-in, which the app gets by a redirect.
			b.run(chromedp.Evaluate(`void auth.signIn()`, nil))
			b.see("Sign in")
			b.sees("Continue to Notes")
			b.fill("Email or username", "mara@home.example")
			b.press("Email me a link and code")
			b.see("Check your email")
			b.fill("6-digit code", n.wait(mailCode))
			b.press("Sign in")
			b.shows("status", "authenticated")
			b.shows("email", "mara@home.example")
			b.run(chromedp.Evaluate(`void auth.signOut()`, nil))
			b.shows("status", "unauthenticated")
			// By a password: what keeps somebody out reaches the app in the client's result.
			n.choosePassword("mara@home.example", goodPassword)
			password := func(typed string) (r result) {
				b.call(`auth.signIn("credentials", {email: "mara@home.example", password: "`+typed+`", redirect: false})`, &r)
				return r
			}
			says := func(r result, status int, word string) {
				t.Helper()
				got := r.Code
				if version == "v4" {
					got = r.Error
				} else {
					status = 200
				}
				if got == nil || *got != word || r.Error == nil || r.Status != status || r.URL != nil {
					t.Errorf("got %+v, want %d %s", r, status, word)
				}
			}
			n.command("user", "disable", "mara@home.example")
			says(password(goodPassword), 403, "account_disabled")
			n.command("user", "enable", "mara@home.example")
			r = password("not the password at all")
			for range 12 {
				r = password("not the password at all")
				if *r.Error == "rate_limited" || r.Code != nil && *r.Code == "rate_limited" {
					break
				}
			}
			says(r, 429, "rate_limited")
			b.shows("status", "unauthenticated")

			b.open(n.url + "/account")
			b.see("Welcome back") // our own page remembers who was here, and lets nobody in by that

			// The error pages of ours stand at the app's address, whole.
			b.open(n.origin + "/api/auth/error?error=AccessDenied")
			b.see("You have no access here")
			b.accessible("an app's error page")
			b.open(n.origin + "/api/auth/signout")
			b.see("Sign out of Notes?")
			b.accessible("an app's sign-out page")
		})
	}
}

// session asks who a cookie signs in.
func session(t testing.TB, origin, cookie string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, origin+"/api/auth/session", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", cookie)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var raw json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&raw); err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// inNode has the app's own server read the cookie with the unmodified packages.
func inNode(t testing.TB, modules, version, cookie string) {
	t.Helper()
	script := esbuild(t, modules, "server.mjs", "--platform=node", "--format=cjs")
	cmd := exec.Command("node", script, version, sharedSecret, cookie)
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, problems.String())
	}
	type claims struct{ Sub, Name, Email, SID string }
	type answer struct {
		Status   int
		Location string
		Cookies  []string
	}
	var got struct {
		Token, Bearer, Decoded claims
		Inside, Outside        answer
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	for name, c := range map[string]claims{"getToken": got.Token, "getToken by a bearer": got.Bearer, "decode": got.Decoded} {
		if c.Email != "mara@home.example" || c.Name != "Mara O." || c.Sub == "" || len(c.SID) != 43 {
			t.Errorf("%s gives %+v", name, c)
		}
	}
	if got.Inside.Status != 200 || got.Outside.Status != 307 || !strings.Contains(got.Outside.Location, "/api/auth/signin?") {
		t.Errorf("the middleware answers %+v and, without a cookie, %+v", got.Inside, got.Outside)
	}
}
