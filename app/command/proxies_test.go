package command_test

import (
	"net/http"
	"strings"
	"testing"
)

// The operator learns which proxy to change, and how.
func TestTheDoctorNamesAProxyWhoseHeaderCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, dir)
	if got := use(t, dir, "doctor"); strings.Contains(got.out, "proxies") {
		t.Errorf("before any: %s", got.out)
	}
	for range 3 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/nowhere", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Forwarded-For", "unknown")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	got := use(t, dir, "doctor")
	if !strings.Contains(got.out, "warn  proxies  the proxy 127.0.0.1 sends an X-Forwarded-For that is no address") || !strings.Contains(got.out, "proxy_set_header X-Forwarded-For") {
		t.Errorf("got %+v", got)
	}
}
