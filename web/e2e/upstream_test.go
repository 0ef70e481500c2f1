package e2e

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatelodge/app/upstream/upstreamtest"
)

// providers are two OpenID providers of npm, different ones.
type providers struct {
	School, Other string // their addresses
	t             testing.TB
	in            io.Writer
	out           *bufio.Scanner
}

// startProviders starts them, or skips.
func startProviders(t testing.TB) *providers {
	t.Helper()
	dir := os.Getenv("GATELODGE_UPSTREAMS")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "oidc-provider", "package.json")); dir == "" || err != nil {
		const missing = "the npm packages of web/e2e/testdata/upstreams are not installed, or GATELODGE_UPSTREAMS does not name where"
		if os.Getenv("GATELODGE_PEERS") == "require" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	cmd := exec.Command("node", filepath.Join("testdata", "upstreams", "provider.mjs"), dir)
	var problems strings.Builder
	cmd.Stderr = &problems
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the providers: %v\n%s", err, problems.String())
		}
	})
	p := &providers{t: t, in: in, out: bufio.NewScanner(out)}
	p.read(p)
	return p
}

// read reads one line of JSON that the providers print.
func (p *providers) read(v any) {
	p.t.Helper()
	for p.out.Scan() {
		if json.Unmarshal(p.out.Bytes(), v) == nil {
			return
		}
	}
	p.t.Fatal("the providers say nothing")
}

// mix makes the other one send browsers on to the school, to be sent back to the
// callback of that id; "" makes it honest.
func (p *providers) mix(id string) {
	p.t.Helper()
	fmt.Fprintln(p.in, id)
	var said struct{ Mixed string }
	if p.read(&said); said.Mixed != id {
		p.t.Fatalf("the providers say %+v", said)
	}
}

// config is a server's configuration with both of them.
func (p *providers) config(more string) string {
	return fmt.Sprintf(`[[upstream]]
id = "school"
kind = "oidc"
name = "The school"
issuer = %q
client_id = "gatelodge"
client_secret = "a-secret-of-the-school-0123456789"
%s
[[upstream]]
id = "other"
kind = "oidc"
name = "Another school"
issuer = %q
client_id = "gatelodge"
client_secret = "not checked by it"
`, p.School, more, p.Other)
}

// atSchool signs in at the school, which asks whether it may tell.
func (b *browser) atSchool(who string) {
	b.t.Helper()
	b.see("The school")
	b.fill("Who are you?", who)
	b.press("Sign in at the school")
	b.press("Let it know me")
}

// The story: connected on the account page, used on the desk and on the phone, asked
// for again, taken away; and each refusal on the way.
func TestSigningInByACertifiedUpstream(t *testing.T) {
	t.Parallel()
	up := startProviders(t)
	p := start(t, "contact = \"sam@else.example\"\n"+up.config(""))
	link := p.command("user", "add", "mara@home.example", "-name", "Mara Okafor")
	desk := person(t)
	desk.open(link)
	desk.press("Yes, sign in here")
	desk.see("Your account")
	desk.accessible("account with upstreams to connect")
	desk.press("The school")
	desk.atSchool("mara")
	desk.see("Your account")
	desk.sees("Account connected. We emailed you about it.")
	desk.sees("mara@school.example")
	desk.accessible("account with a connected upstream")

	// The next time one button does it, the one that is remembered.
	desk.press("Sign out")
	desk.press("Sign in")
	desk.press("Continue with The school")
	desk.see("Your account")
	desk.press("Sign out")
	desk.press("Sign in")
	desk.see("Welcome back")
	desk.accessible("welcome back by an upstream")
	desk.press("Continue with The school")
	desk.see("Your account")
	if out := p.command("user", "show", "mara@home.example"); !strings.Contains(out, "school") || !strings.Contains(out, "mara@school.example") {
		t.Errorf("user show says:\n%s", out)
	}

	// On a phone, where the school knows nobody yet; cancelled first.
	phone := person(t)
	phone.look(views[3])
	phone.open(p.url + "/signin")
	phone.accessible("sign in with upstreams")
	phone.press("Continue with The school")
	phone.see("The school")
	phone.press("Cancel")
	phone.see("You were not signed in at The school")
	phone.accessible("cancelled at the upstream")
	phone.press("Sign in")
	phone.press("Continue with The school")
	phone.atSchool("mara")
	phone.see("Your account")

	// Somebody whom nobody knows by that: the account is proven first.
	other := person(t)
	other.open(p.url + "/signin")
	other.press("Continue with The school")
	other.atSchool("eve")
	other.see("Connect The school to your account?")
	other.accessible("connect an account?")
	other.press("Sign in another way")
	other.fill("Email or username", "mara@home.example")
	other.press("Email me a link and code")
	other.see("Check your email")
	other.fill("6-digit code", p.wait(mailCode))
	other.press("Sign in")
	other.see("Connect The school to your account?")
	other.sees("Anyone who can sign in there can then sign in to this account.")
	other.accessible("connect what with what")
	other.press("Do not connect")
	other.see("Your account")
	other.press("Disconnect")
	other.press("Yes, disconnect")
	other.sees("Account disconnected")
	desk.open(p.url + "/account")
	desk.see("Welcome back")
}

// Without script, and with mail of an address that the operator takes the school's
// word for.
func TestSigningInByAnUpstreamWithoutScript(t *testing.T) {
	t.Parallel()
	up := startProviders(t)
	p := start(t, up.config("trust_email = true"))
	p.command("user", "add", "mara@school.example")
	b := person(t)
	b.withoutScript()
	b.open(p.url + "/signin?lang=de")
	b.press("Weiter mit The school")
	b.atSchool("mara")
	b.see("Ihr Konto")
	b.press("Abmelden")
	b.see("Sie sind abgemeldet")
	b.open(p.url + "/signin?lang=en")
	b.press("Not you?")
	b.press("Continue with The school Last used")
	b.see("Your account")
}

// An attacker's provider sends people on to an honest one, and hopes to get the
// answer (mix-up), or to have it taken for its own.
func TestMixUpByAnotherProvider(t *testing.T) {
	t.Parallel()
	up := startProviders(t)
	p := start(t, up.config("trust_email = true"))
	p.command("user", "add", "mara@school.example")
	b := person(t)
	b.open(p.url + "/signin")
	b.press("Continue with The school")
	b.atSchool("mara")
	b.see("Your account")
	b.press("Sign out")
	b.see("You are signed out")

	// To its own callback the school sends nobody: it is not registered there.
	up.mix("other")
	b.open(p.url + "/signin?other=1")
	b.press("Continue with Another school")
	b.sees("redirect_uri")
	// To the school's, where nobody waits for it.
	up.mix("school")
	b.open(p.url + "/signin?other=1")
	b.press("Continue with Another school")
	b.see("This sign-in was started in another browser")
	b.accessible("a sign-in that was started elsewhere")
	b.open(p.url + "/account")
	b.see("Welcome back")

	// Honest, it is one more upstream, whose word on addresses is not taken.
	up.mix("")
	b.press("Not you?")
	b.press("Continue with Another school")
	b.see("Connect Another school to your account?")
}

// Whatever goes wrong at an upstream has a page of its own, whose button leads to where
// the next try works.
func TestEachRefusalOfAnUpstreamIsAPage(t *testing.T) {
	t.Parallel()
	school := upstreamtest.New(t)
	school.Set(func(s *upstreamtest.Server) { s.Down = true })
	p := start(t, fmt.Sprintf(`contact = "sam@else.example"
[[upstream]]
id = "school"
kind = "oidc"
name = "The school"
issuer = %q
client_id = %q
client_secret = %q
trust_email = true
allow_domains = ["school.example"]
`, school.URL, upstreamtest.ClientID, upstreamtest.Secret))
	p.command("user", "add", "mara@school.example")
	honest := func(s *upstreamtest.Server) {
		s.Claims = map[string]any{"sub": "1", "email": "mara@school.example", "email_verified": true, "auth_time": time.Now().Unix()}
		s.Down, s.Error, s.TokenError, s.NamedAs, s.Algorithm, s.Now = false, "", "", "", "", time.Now
	}
	p.expected = []string{"upstream.down", "upstream.misconfigured", "upstream.clock"}
	early := person(t)
	early.open(p.url + "/signin")
	early.press("Continue with The school")
	early.see("The school does not respond")
	early.accessible("an upstream that was down from the start")
	for _, script := range []bool{true, false} {
		b := person(t)
		if !script {
			b.withoutScript()
		}
		for _, tt := range []struct {
			heading string
			is      func(*upstreamtest.Server)
		}{
			{"The school does not respond", func(s *upstreamtest.Server) { s.Error = "temporarily_unavailable" }},
			{"The school does not know this server", func(s *upstreamtest.Server) { s.TokenError = "invalid_client" }},
			{"You were not signed in at The school", func(s *upstreamtest.Server) { s.Error = "access_denied" }},
			{"The sign-in took too long", func(s *upstreamtest.Server) { s.TokenError = "invalid_grant" }},
			{"The answer came from another provider", func(s *upstreamtest.Server) { s.NamedAs = "https://evil.example" }},
			{"The answer from The school could not be verified", func(s *upstreamtest.Server) { s.Algorithm = "none" }},
			{"The clocks do not agree", func(s *upstreamtest.Server) { s.Now = func() time.Time { return time.Now().Add(time.Hour) } }},
			{"The school sent no verified email address", func(s *upstreamtest.Server) { s.Claims["email_verified"] = false }},
			{"Your The school account is not allowed here", func(s *upstreamtest.Server) { s.Claims["email"] = "mara@else.example" }},
		} {
			school.Set(honest)
			school.Set(tt.is)
			b.open(p.url + "/signin")
			b.press("Continue with The school")
			b.see(tt.heading)
			b.accessible(tt.heading)
			b.press("Sign in")
			b.see("Sign in")
		}
		// Its answer, where nobody waits for it.
		b.open(p.url + "/api/auth/callback/school?code=x&state=y")
		b.see("This sign-in was started in another browser")
		b.press("Sign in")
		school.Set(honest)
		b.press("Continue with The school")
		b.see("Your account")
		b.press("The school")
		b.see("This The school account is already connected")
		b.accessible("connected already")
	}
}

// An upstream that answers by a form of its own site: the browser sends no cookie
// with that, and comes in all the same.
func TestAnUpstreamThatAnswersByAForm(t *testing.T) {
	t.Parallel()
	apple := upstreamtest.New(t)
	apple.Set(func(s *upstreamtest.Server) {
		s.Claims = map[string]any{"sub": "001", "email": "mara@icloud.example", "email_verified": "true"}
		s.API = map[string]any{"form user": `{"name":{"firstName":"Mara","lastName":"Okafor"},"email":"mara@icloud.example"}`}
	})
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "apple.p8")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, fmt.Sprintf("[[upstream]]\nkind = \"apple\"\nissuer = %q\nclient_id = %q\nteam_id = \"T\"\nkey_id = \"K\"\nprivate_key_file = %q\ntrust_email = true\nsign_up = true\nallow_domains = [\"icloud.example\"]\n",
		apple.URL, upstreamtest.ClientID, path))
	b := person(t)
	b.open(p.url + "/signin")
	b.press("Continue with Apple")
	b.see("Back") // at 127.0.0.1, which is another site than localhost
	b.press("Go on")
	b.see("Your account")
	b.sees("Mara Okafor")
	b.sees("mara@icloud.example")
}
