package web_test

import (
	"strings"
	"testing"
	"time"

	"gatelodge/app/config"
)

// The audit log is swept. Whoever an admin added keeps what that gave them: their
// address is theirs, so an App opens to it, and their own first link removes nothing.
func TestEveryRightStaysWhenTheLogIsSwept(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *config.Config) {
		c.Apps = appsOf(t, "[[app]]\nname = \"Wiki\"\nhosts = [\"localhost:3000\"]\nallow = [\"user:mara@home.example\"]\n[app.authjs]\nversion = \"v5\"\n")
	})
	mara := h.withPassword("mara@home.example", goodPassword)
	h.app.Audit.Flush()
	if len(h.eventsOf(mara.ID)) == 0 {
		t.Fatal("the log has nothing to sweep")
	}
	for {
		n, err := h.app.DB.Sweep(t.Context(), h.Now().Add(500*24*time.Hour), 1000)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	if left := h.eventsOf(mara.ID); len(left) != 0 {
		t.Fatalf("the log still has %v", left)
	}

	c := h.browser().authjs("v5")
	c.post("/api/auth/callback/credentials", "email", "mara@home.example", "password", goodPassword, "callbackUrl", "/").leads(t, 200, wikiOrigin+"/")
	if a := c.get("/api/auth/session"); !strings.Contains(a.body, `"email":"mara@home.example"`) {
		t.Errorf("the App is told %s", a.body)
	}
	h.browser().signIn("mara@home.example")
	h.browser().tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
}
