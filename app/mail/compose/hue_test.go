package compose_test

import (
	"strings"
	"testing"

	"gatelodge/app/mail/compose"
	"gatelodge/app/theme"
)

// Mail has the accent that pages have, in light and dark.
func TestMailHasTheAccentOfThePages(t *testing.T) {
	c := composer(t)
	c.Hue = 20
	raw, err := c.Write(compose.Head{To: "mara@home.example", ID: "x", Now: now}, compose.Invite{By: "Sam", Link: link, Until: now})
	if err != nil {
		t.Fatal(err)
	}
	_, bodies := parts(t, raw)
	want := theme.ColoursOf(20)
	for _, colour := range []string{want.Light, want.OnLight, want.Dark, want.OnDark} {
		if !strings.Contains(bodies[1], colour) {
			t.Errorf("the mail lacks the colour %s", colour)
		}
	}
}
