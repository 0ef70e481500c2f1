package command_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

// visitor is somebody with a browser, who follows where they are sent.
type visitor struct {
	t      *testing.T
	client *http.Client
	url    string
	// cookies are the values of all cookies they were ever given.
	cookies []string
}

func newVisitor(t *testing.T, url string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, url: url}
	v.client = &http.Client{Jar: jar, Transport: v}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return v
}

// RoundTrip keeps every cookie that passes, also those of an answer that only
// sends the browser on.
func (v *visitor) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		for _, c := range res.Cookies() {
			if c.Value != "" {
				v.cookies = append(v.cookies, c.Value)
			}
		}
	}
	return res, err
}

// carry takes the cookies along to another server of the same installation. Behind one
// address their names would be equal; here each server has a port, which ends them.
func (v *visitor) carry(address string) {
	v.t.Helper()
	from, err := url.Parse(v.url)
	if err != nil {
		v.t.Fatal(err)
	}
	to, err := url.Parse(address)
	if err != nil {
		v.t.Fatal(err)
	}
	cookies := v.client.Jar.Cookies(from)
	for _, c := range cookies {
		if base, ok := strings.CutSuffix(c.Name, from.Port()); ok {
			c.Name, c.Path = base+to.Port(), "/"
		}
	}
	v.client.Jar.SetCookies(to, cookies)
}

// arrives checks where an answer is from, without its query, and returns it.
func (v *visitor) arrives(path string, res *http.Response, err error) string {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	if got := res.Request.URL.Path; res.StatusCode != http.StatusOK || got != path {
		v.t.Fatalf("got %d at %s, want %s\n%s", res.StatusCode, got, path, body)
	}
	return string(body)
}

// opens goes to an address and checks where that leads.
func (v *visitor) opens(address, path string) string {
	v.t.Helper()
	res, err := v.client.Get(address)
	return v.arrives(path, res, err)
}

// sends fills in a form and checks where that leads.
func (v *visitor) sends(form, path string, pairs ...string) string {
	v.t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	res, err := v.client.Post(v.url+form, "application/x-www-form-urlencoded", strings.NewReader(values.Encode()))
	return v.arrives(path, res, err)
}

func (v *visitor) setUp(code, email string) {
	v.t.Helper()
	v.opens(v.url+"/setup?code="+code, "/setup")
	v.sends("/setup", "/account", "setup_code", code, "email", email)
}
