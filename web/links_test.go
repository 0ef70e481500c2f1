package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	paths "gatelodge/app/links"
)

func mustURL(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// The paths that mails and redirects lead to are paths of pages.
func TestEachLinkLeadsToAPage(t *testing.T) {
	h := open(t, nil)
	token := strings.Repeat("A", 43)
	for _, path := range []string{
		paths.Home, paths.SignIn, paths.Account, paths.Welcome, paths.Emails, paths.NewPassword, paths.AdminPeople,
		paths.SetUp("a code"), paths.SignInLink(token), paths.Invite(token), paths.Mailed(token), paths.Callback("email"), paths.MailAPI,
	} {
		switch status := h.browser().get(path).StatusCode; status {
		case http.StatusNotFound:
			t.Errorf("there is no page at %s", path)
		case http.StatusMethodNotAllowed:
			if path != paths.MailAPI { // programs post there
				t.Errorf("%s shows no page", path)
			}
		}
	}
}
