package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"gatelodge/app/mail/mailtest"
)

// A whole Next.js app of each generation, in production, behind the proxy that most
// people have. What it takes from Gatelodge is one line of that proxy.
func TestNextApp(t *testing.T) {
	modules := clients(t)
	for version, proxy := range map[string]func(testing.TB, string, string, string){"v4": startNginx, "v5": startCaddy} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			app := buildNext(t, modules, version)
			host := "localhost:" + freePort(t)
			n := &notes{origin: "http://" + host}
			n.program = start(t, fmt.Sprintf("[[app]]\nname = \"Notes\"\nhosts = [%q]\nallow = [\"everyone\"]\n[app.authjs]\nversion = %q\nsecret = %q\n", host, version, sharedSecret))
			n.command("user", "add", "mara@home.example", "-name", "Mara Okafor")
			n.choosePassword("mara@home.example", goodPassword)
			next := startNext(t, app, n.origin)
			proxy(t, host, strings.TrimPrefix(n.url, "http://"), next)
			waitFor(t, n.origin+"/")
			n.story(t, version)
		})
	}
}

const goodPassword = "crimson ladder over quiet fjord"

// story is what somebody does in the app, from signed out to signed out.
func (n *notes) story(t *testing.T, version string) {
	b := person(t)
	email := map[string]string{"v4": "email", "v5": "nodemailer"}[version]

	// Signed out: the page says so, the middleware leads to the sign-in.
	b.open(n.origin + "/")
	b.shows("status", "unauthenticated")
	b.open(n.origin + "/members")
	b.see("Sign in")
	b.sees("Continue to Notes")
	b.fill("Email or username", "mara@home.example")
	b.press("Email me a link and code")
	b.see("Check your email")
	b.fill("6-digit code", n.wait(mailCode))
	b.press("Sign in")
	b.see("Members")
	b.shows("server", "mara@home.example")
	b.open(n.origin + "/")
	b.shows("status", "authenticated")
	b.call(`auth.signOut({redirect: false})`, &struct{}{})
	b.shows("status", "unauthenticated")

	// By a mailed link that the app's own page asked for.
	var r result
	b.call(`auth.signIn("`+email+`", {email: "mara@home.example", redirect: false, callbackUrl: "/?back=1"})`, &r)
	if r.Error != nil || !r.OK {
		t.Fatalf("asking for a link gives %+v", r)
	}
	link := n.wait(appLink)
	b.open(link)
	b.shows("email", "mara@home.example")
	b.call(`auth.signOut({redirect: false})`, &struct{}{})
	b.shows("status", "unauthenticated")

	// By a password, first a wrong one.
	r = result{}
	b.call(`auth.signIn("credentials", {email: "mara@home.example", password: "not the password at all", redirect: false})`, &r)
	status := map[string]int{"v4": 401, "v5": 200}[version]
	if r.Error == nil || *r.Error != "CredentialsSignin" || r.Status != status || version == "v5" && (r.Code == nil || *r.Code != "credentials") {
		t.Errorf("a wrong password gives %+v", r)
	}
	r = result{}
	b.call(`auth.signIn("credentials", {email: "mara@home.example", password: "`+goodPassword+`", redirect: false})`, &r)
	if r.Error != nil || !r.OK || r.Status != 200 {
		t.Fatalf("the password gives %+v", r)
	}
	b.shows("status", "authenticated")
	b.shows("name", "Mara Okafor")

	// A second tab, what the server renders, a session that a page requires, update.
	tab, cancel := chromedp.NewContext(b.ctx)
	defer cancel()
	if err := chromedp.Run(tab); err != nil { // the tab lives as long as this context
		t.Fatal(err)
	}
	other := &browser{t: t, ctx: tab}
	other.open(n.origin + "/required")
	other.shows("required", "authenticated")
	var updated struct{ User struct{ Name string } }
	b.call(`update({name: "Mara O."})`, &updated)
	if updated.User.Name != "Mara O." {
		t.Errorf("update gives %+v", updated)
	}
	b.shows("name", "Mara O.")
	b.open(n.origin + "/members")
	b.see("Members")
	b.shows("server", "mara@home.example")
	// The app's own server made its cookies anew; they are still good.
	b.open(n.origin + "/")
	b.shows("status", "authenticated")

	// Signed out in one tab is signed out in the other, and the old cookie is dead.
	cookie := b.cookies(n.origin)
	if got := session(t, n.origin, cookie); !strings.Contains(got, "mara@home.example") {
		t.Errorf("the cookie opens %s", got)
	}
	b.call(`auth.signOut({redirect: false})`, &struct{}{})
	b.shows("status", "unauthenticated")
	other.sees("Only signed-in people can open that page.")
	if got := session(t, n.origin, cookie); got != map[string]string{"v4": "{}", "v5": "null"}[version] {
		t.Errorf("the old cookie still opens: %s", got)
	}
	b.open(n.origin + "/members")
	b.sees("Continue to Notes")
}

// choosePassword gives a user a password by the link that the command line prints.
func (p *program) choosePassword(email, password string) {
	p.t.Helper()
	res, err := http.PostForm(p.command("user", "password", email), url.Values{"password": {password}})
	if err != nil {
		p.t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK || res.Request.URL.Path != "/signin" {
		p.t.Fatalf("choosing a password ends with %d at %s", res.StatusCode, res.Request.URL)
	}
}

// buildNext builds an app of testdata/next for production and returns its directory.
// What was built is kept beside the packages, as long as neither changes.
func buildNext(t testing.TB, modules, version string) string {
	t.Helper()
	source := filepath.Join("testdata", "next")
	sum := sha256.New()
	for _, part := range []string{filepath.Join(source, version), filepath.Join(source, "who.jsx"), filepath.Join(source, "next.config.mjs"), filepath.Join(modules, "package-lock.json")} {
		err := filepath.WalkDir(part, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			fmt.Fprintf(sum, "%s %d\n%s", path, len(text), text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(modules, "apps", fmt.Sprintf("%s-%x", version, sum.Sum(nil)[:8]))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, ".next", "BUILD_ID")); err == nil {
		return dir
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.CopyFS(dir, os.DirFS(filepath.Join(source, version))))
	for _, name := range []string{"who.jsx", "next.config.mjs"} {
		text, err := os.ReadFile(filepath.Join(source, name))
		must(err)
		must(os.WriteFile(filepath.Join(dir, name), text, 0o644))
	}
	must(os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"name":"notes","private":true}`), 0o644))
	must(os.Mkdir(filepath.Join(dir, "node_modules"), 0o755))
	for name, from := range map[string]string{"next": "next", "react": "react", "react-dom": "react-dom", "next-auth": "next-auth-" + version} {
		must(os.Symlink(filepath.Join(modules, "node_modules", from), filepath.Join(dir, "node_modules", name)))
	}
	cmd := exec.Command("node", "node_modules/next/dist/bin/next", "build")
	cmd.Dir, cmd.Env = dir, nextEnv("")
	if text, err := cmd.CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		t.Fatalf("next build: %v\n%s", err, text)
	}
	return dir
}

// nextEnv is the environment of the app: its address and its secret are all that is
// left of its sign-in.
func nextEnv(origin string) []string {
	env := append(os.Environ(), "NEXT_TELEMETRY_DISABLED=1", "NODE_ENV=production",
		"NEXTAUTH_SECRET="+sharedSecret, "AUTH_SECRET="+sharedSecret)
	if origin != "" {
		env = append(env, "NEXTAUTH_URL="+origin)
	}
	return env
}

// startNext serves a built app and returns where. Told to listen at 127.0.0.1, Next
// itself would lead people there: it takes its own name for the app's.
func startNext(t testing.TB, dir, origin string) string {
	t.Helper()
	port := freePort(t)
	cmd := exec.Command("node", "node_modules/next/dist/bin/next", "start", "-H", "localhost", "-p", port)
	cmd.Dir, cmd.Env = dir, nextEnv(origin)
	run(t, cmd)
	waitFor(t, "http://localhost:"+port+"/")
	return "localhost:" + port
}

// startNginx puts nginx in front of an app.
func startNginx(t testing.TB, host, gatelodge, next string) {
	t.Helper()
	mailtest.Peer(t, "nginx")
	dir := t.TempDir()
	config := filepath.Join(dir, "nginx.conf")
	_, port, _ := net.SplitHostPort(host)
	text := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr warn;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	server {
		listen 127.0.0.1:%[2]s;
		location /api/auth/ {
			proxy_pass http://%[3]s;
			proxy_set_header Host $http_host;
			proxy_set_header X-Forwarded-For $remote_addr;
			proxy_redirect off;
		}
		location / {
			proxy_pass http://%[4]s;
			proxy_set_header Host $http_host;
			proxy_set_header X-Forwarded-Host $http_host;
			proxy_set_header X-Forwarded-Proto $scheme;
		}
	}
}
`, dir, port, gatelodge, next)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, exec.Command("nginx", "-p", dir, "-c", config))
}

// startCaddy puts Caddy in front of an app.
func startCaddy(t testing.TB, host, gatelodge, next string) {
	t.Helper()
	mailtest.Peer(t, "caddy")
	dir := t.TempDir()
	config := filepath.Join(dir, "Caddyfile")
	text := fmt.Sprintf("{\n\tadmin off\n\tauto_https off\n}\nhttp://%s {\n\tbind 127.0.0.1\n\treverse_proxy /api/auth/* %s\n\treverse_proxy %s\n}\n", host, gatelodge, next)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("caddy", "run", "--config", config, "--adapter", "caddyfile")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}
	run(t, cmd)
}

// run starts a peer that ends with the test, and shows what it said when that fails.
func run(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	said := &output{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(cmd.Path), said)
		}
	})
}

// output is what a process says, while it still may.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// freePort returns a port that nobody listens at.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// waitFor waits until an address answers.
func waitFor(t testing.TB, address string) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		res, err := http.Get(address)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
			err = fmt.Errorf("it answers %s", res.Status)
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", address, err)
		}
	}
}
