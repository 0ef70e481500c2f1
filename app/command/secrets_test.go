package command_test

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

var (
	linkAt = regexp.MustCompile(`(?m)^  (http://\S+/signin/link/\S+)$`)
	codeAt = regexp.MustCompile(`sign-in code is (\d{3} \d{3})`)
)

// The log is read by people and machines that may not sign in as somebody else.
// Only the terminal shows captured mail, since that is where it goes.
func TestTheLogOfASignInHoldsNoSecret(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "config.toml"), "[log]\nlevel = \"debug\"\nformat = \""+format+"\"\n", 0o600)
			s := serve(t, dir)
			_, setUpCode, _ := strings.Cut(s.wait(setUpAt), "=")

			v, stranger := newVisitor(t, s.url), newVisitor(t, s.url)
			const email = "mara.okafor@home.example"
			stranger.opens(s.url+"/setup?code="+setUpCode, "/setup")
			v.setUp(setUpCode, email)
			v.sends("/signout", "/signout")
			v.sends("/signin", "/signin/code", "identifier", email)
			link, code := s.wait(linkAt), s.wait(codeAt)
			at, err := url.Parse(link)
			if err != nil {
				t.Fatal(err)
			}
			stranger.opens(link, at.Path)
			v.opens(link, "/account")
			// And by the link that an operator makes.
			byHand := strings.TrimSpace(use(t, dir, "user", "link", email).out)
			stranger.opens(byHand, strings.TrimPrefix(byHand, s.url))
			stranger.sends(strings.TrimPrefix(byHand, s.url), "/account")
			got := s.stop(syscall.SIGTERM)

			if n := strings.Count(got.err, "/signin/link/:token"); n != 4 {
				t.Errorf("the log tells of %d requests for a link, want 4: it may not be the log\n%s", n, got.err)
			}
			if !strings.Contains(got.out, link) {
				t.Errorf("the terminal does not show the captured mail:\n%s", got.out)
			}
			key, err := os.ReadFile(filepath.Join(dir, "gatelodge-data", "secret.key"))
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(string(key)), "\n")
			holdsNone(t, got.err, map[string][]string{
				"the set-up code": {setUpCode, strings.ReplaceAll(setUpCode, "-", "")},
				"a link":          {filepath.Base(link), filepath.Base(byHand)},
				"a code":          {code, strings.ReplaceAll(code, " ", "")},
				"a cookie":        append(v.cookies, stranger.cookies...),
				"an address":      {email, url.QueryEscape(email), "mara.okafor"},
				"the key":         {lines[len(lines)-1]},
			})
		})
	}
}

// holdsNone checks that a log has no secret of any kind.
func holdsNone(t *testing.T, log string, secrets map[string][]string) {
	t.Helper()
	for kind, values := range secrets {
		if len(values) == 0 {
			t.Errorf("%s was never seen: nothing is tested", kind)
		}
		for _, value := range values {
			if len(value) < 6 {
				t.Errorf("%s is %q, which is too short to look for", kind, value)
			}
			if strings.Contains(log, value) {
				t.Errorf("the log holds %s, %q:\n%s", kind, value, log)
			}
		}
	}
}
