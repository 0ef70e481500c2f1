package web_test

import (
	"net/http"
	"testing"
	"time"
)

// A thief takes the owner's address off the account. Where anybody may come, the owner
// who signs in as always must not get a new account by that, with which the old one
// could not be taken back.
func TestAnAddressThatAThiefTookOffIsNotANewAccounts(t *testing.T) {
	t.Parallel()
	h := open(t, mode("open"))
	u := h.user("vic@home.example")
	owner, thief := h.browser(), h.browser()
	owner.signIn("vic@home.example")
	thief.signIn("vic@home.example")
	thief.moves("thief@evil.example")
	thief.post("/account/emails/remove", "email", "vic@home.example").goesTo(t, "/account/emails")
	thief.post("/account/password", "password", goodPassword).goesTo(t, "/account")

	h.pass(11 * time.Minute)
	owner = h.browser()
	owner.post("/signin", "identifier", "vic@home.example").goesTo(t, "/signin/code")
	asked := h.lettersTo("signin", "vic@home.example", 3)
	owner.get(owner.path(asked[0])).is(t, http.StatusForbidden, "removed from an account", "restores the account")

	owner.post(owner.path(h.lettersTo("email_changed", "vic@home.example", 1)[0])).is(t, http.StatusSeeOther)
	if thief.who() != "" {
		t.Error("the thief is still in")
	}
	h.browser().tryPassword("thief@evil.example", goodPassword).is(t, http.StatusUnprocessableEntity)
	h.isOwnedBy(u, "vic@home.example")
	h.pass(time.Hour)
	h.browser().signIn("vic@home.example")
}
