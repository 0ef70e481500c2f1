package command_test

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

var referenceOnPage = regexp.MustCompile(`GL-[0-9A-Z]{4}-[0-9A-Z]{4}`)

// refusal returns the status of an answer and the Reference in it.
func refusal(t *testing.T, url, host string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	reference := referenceOnPage.FindString(string(body))
	if reference == "" {
		t.Fatalf("there is no Reference on\n%s", body)
	}
	return res.StatusCode, reference
}

// TestWhyNamesWhatWasAskedFor asks about a page that there is not and about a wrong
// host: neither has a route or arguments left.
func TestWhyNamesWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, dir)
	const secret = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmE"
	for path, want := range map[string]string{
		"/wp-admin/" + secret: "/wp-admin/…", "/nowhere": "/nowhere", "/" + secret: "/…", "/" + secret + "/x": "/…",
	} {
		status, reference := refusal(t, s.url+path, "")
		got := use(t, dir, "why", reference)
		if status != http.StatusNotFound || got.code != 0 || !strings.Contains(got.out, "at GET "+want+", answered 404") {
			t.Errorf("%s: got %d, %+v", path, status, got)
		}
		if strings.Contains(got.out, secret) {
			t.Errorf("why shows what may be a token:\n%s", got.out)
		}
	}
	_, reference := refusal(t, s.url+"/signin", "other.example")
	got := use(t, dir, "why", reference)
	if got.code != 0 || !strings.Contains(got.out, s.url) || regexp.MustCompile(`\[[a-z]+\]`).MatchString(got.out) {
		t.Errorf("a wrong host: got %+v", got)
	}
	end := s.stop(syscall.SIGTERM)
	if strings.Contains(end.err, `route=""`) || strings.Contains(end.err, secret) || !strings.Contains(end.err, "route=/wp-admin/…") {
		t.Errorf("the log says\n%s", end.err)
	}
}
