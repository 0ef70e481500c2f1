package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gatelodge/app/config"
	"gatelodge/app/secret"
	"gatelodge/store"
	"gatelodge/store/storetest"
)

// Sessions that were imported with their users open an App no further than a sign-in
// would: not by an address that nobody has confirmed, nor by an id that looks like one.
func TestAnImportedSessionOpensNoAppThatItsUserMayNotEnter(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *config.Config) {
		c.Apps = appsOf(t, "[[app]]\nname = \"Vault\"\nhosts = [\"localhost:3000\"]\nallow = [\"user:victim@home.example\", \"user:boss@home.example\", \"user:old-kept\"]\n[app.authjs]\nversion = \"v5\"\n")
	})
	victim := h.imported("victim@home.example", "stranger")
	lookalike := store.User{ID: "boss@home.example", EmailNorm: store.NoEmail("boss@home.example"), CreatedAt: h.Now(), UpdatedAt: h.Now()}
	byID := store.User{ID: "old-kept", EmailNorm: store.NoEmail("old-kept"), CreatedAt: h.Now(), UpdatedAt: h.Now()}
	served := func(u store.User) bool {
		h.t.Helper()
		token := "as-another-system-made-it-for-" + strings.NewReplacer("@", "-", ".", "-").Replace(u.ID)
		hash, _ := secret.SessionHash(token)
		s := store.Session{
			ID: store.NewID(h.Now()), TokenHash: storetest.Hash(u.ID), UserID: u.ID, AuthAt: h.Now(), CreatedAt: h.Now(), SeenAt: h.Now(),
			ExpiresAt: h.Now().Add(time.Hour), MaxExpiresAt: h.Now().Add(time.Hour),
		}
		storetest.Update(t, h.app.DB, func(tx *store.Tx) error {
			if err := tx.AddSession(s); err != nil {
				return err
			}
			return tx.PutAppSession(store.AppSession{TokenHash: hash, App: "vault", SessionID: s.ID, CreatedAt: h.Now()})
		})
		a := h.browser().authjs("v5").get("/api/auth/session", "Cookie", "authjs.session-token="+token)
		a.is(t, http.StatusOK)
		return strings.Contains(a.body, u.ID)
	}
	storetest.Update(t, h.app.DB, func(tx *store.Tx) error {
		if err := tx.AddUser(lookalike); err != nil {
			return err
		}
		return tx.AddUser(byID)
	})
	if served(victim) {
		t.Error("an address that nobody has confirmed opens the App")
	}
	if served(lookalike) {
		t.Error("an id that looks like an address opens the App")
	}
	if !served(byID) {
		t.Error("the id that is allowed does not open the App")
	}

	boss := h.boss()
	boss.get("/admin/people/"+victim.ID).is(t, http.StatusOK, "The address is not confirmed")
	boss.post("/admin/invites", "email", "victim@home.example", "days", "7", "uses", "1").is(t, http.StatusUnprocessableEntity, "it is not confirmed")
	if a := boss.get("/admin/people/" + h.user("ida@home.example").ID); strings.Contains(a.body, "The address is not confirmed") {
		t.Error("somebody whom an admin added is called unconfirmed")
	}
}
