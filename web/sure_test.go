package web_test

import (
	"regexp"
	"strings"
	"testing"
)

// Passwords, connected accounts, addresses and groups are removed in two steps, without
// script too: a button that posts to such an action stands behind a question.
func TestRemovingAsksFirst(t *testing.T) {
	templates, catalog, _ := pagesOf(t)
	removes := regexp.MustCompile(`action="[^"]*/(remove-password|password/remove|disconnect|ways/unlink|emails/remove|groups/[^"/]*/remove)"`)
	asked := regexp.MustCompile(`(?s)<details class="sure">.*?</details>`)
	found := 0
	for name, state := range states() {
		if state.page == "admin-remove.html" {
			continue // the question itself
		}
		page := render(t, templates, catalog.For("en"), state)
		found += len(removes.FindAllString(page, -1))
		if one := removes.FindString(asked.ReplaceAllString(page, "")); one != "" {
			t.Errorf("%s: one click removes: %s", name, one)
		}
	}
	if found < 5 {
		t.Errorf("only %d buttons that remove were found", found)
	}
}

// While mail is captured, a reader who cannot open the captured mail is not told that a
// mail was sent.
func TestCapturedMailIsNotSaidToBeSent(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	b := h.browser()
	b.ask("mara@home.example")
	const through, sender = "X-Forwarded-For", "203.0.113.7"
	a := b.get("/signin/code", through, sender)
	a.is(t, 200, "This server captures mail and does not send it.")
	if strings.Contains(a.body, "we sent") || strings.Contains(a.body, "We sent") {
		t.Error("the page says that a mail was sent")
	}
	if a := b.get("/signin/code"); strings.Contains(a.body, "Ask an admin for the message") {
		t.Error("a reader of the captured mail is sent to an admin")
	}
	b.post("/signin/forgot", "identifier", "mara@home.example").goesTo(t, "/signin/forgot?sent=1")
	a = b.get("/signin/forgot?sent=1", through, sender)
	a.is(t, 200, "This server captures mail and does not send it.")
	if strings.Contains(a.body, "on its way") {
		t.Error("the page says that a mail is on its way")
	}
}
