package links_test

import (
	"net/url"
	"strings"
	"testing"

	"gatelodge/app/links"
)

func mustURL(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// A sign-in must not end on somebody else's page.
func TestOpenRedirect(t *testing.T) {
	for name, target := range map[string]string{
		"another site":          "https://evil.example/",
		"no scheme":             "//evil.example/",
		"backslashes":           `/\evil.example`,
		"encoded slashes":       "/%2f/evil.example",
		"encoded backslash":     "/%5cevil.example",
		"a tab in between":      "/\t/evil.example",
		"a line break":          "/x\r\nLocation: https://evil.example",
		"encoded line break":    "/x%0d%0aLocation:%20https://evil.example",
		"script":                "javascript:alert(1)",
		"dots and slashes":      "/.//evil.example",
		"user information":      "/@evil.example",
		"a very long one":       "/" + strings.Repeat("x", 3000),
		"slashes after a slash": "///evil.example",
	} {
		t.Run(name, func(t *testing.T) {
			got := links.Local(target)
			wantLocal(t, got)
			if name == "another site" && got != "/" {
				t.Errorf("got %q", got)
			}
		})
	}
	for _, path := range []string{"/account", "/account?a=b&c=d", "/caf%C3%A9", "/oidc/authorize/x?y=%2Fz"} {
		if got := links.Local(path); got != path {
			t.Errorf("%q became %q", path, got)
		}
	}
}

// wantLocal checks that a browser on our origin stays there.
func wantLocal(t *testing.T, got string) {
	t.Helper()
	base := mustURL(t, "https://auth.home.example/signin")
	u, err := base.Parse(got)
	if err != nil || u.Host != base.Host || u.Scheme != "https" {
		t.Errorf("%q leads to %v, %v", got, u, err)
	}
	if !strings.HasPrefix(got, "/") || strings.HasPrefix(got, "//") || strings.ContainsAny(got, "\\\r\n\t") {
		t.Errorf("got %q", got)
	}
}

func FuzzLocal(f *testing.F) {
	f.Add("/a?b=c")
	f.Add("//evil.example")
	f.Add("/\\/evil")
	f.Fuzz(func(t *testing.T, target string) {
		got := links.Local(target)
		wantLocal(t, got)
		if again := links.Local(got); again != got {
			t.Errorf("%q becomes %q, then %q", target, got, again)
		}
	})
}
