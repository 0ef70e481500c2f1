package web_test

import (
	"net/http"
	"testing"
	"time"

	"gatelodge/app/config"
	"gatelodge/app/upstream/upstreamtest"
	"gatelodge/store"
)

// The attacker sits at a browser whose owner is signed in at the provider, and signs in
// with it once more to pass for somebody who has just confirmed. A provider's answer is
// as fresh as the moment at which it asked the person, and not fresh where it does not
// say.
func TestSigningInAgainWithAProviderConfirmsNothing(t *testing.T) {
	t.Parallel()
	type ago = time.Duration
	told := func(d ago) *ago { return &d }
	for name, tt := range map[string]struct {
		kind     string
		authTime *ago // before now; nil for none
		text     bool // as text, which is no time
		email    bool
		password bool
		fresh    bool
	}{
		"the person proved themselves in 1970":         {"oidc", told(50 * 365 * 24 * time.Hour), false, true, false, false},
		"and has no other way":                         {"oidc", told(time.Hour), false, false, false, false},
		"11 minutes ago":                               {"oidc", told(11 * time.Minute), false, true, false, false},
		"a minute ago":                                 {"oidc", told(time.Minute), false, true, false, true},
		"next year":                                    {"oidc", told(-365 * 24 * time.Hour), false, true, false, false},
		"as text":                                      {"oidc", told(time.Minute), true, true, false, false},
		"it says nothing":                              {"oidc", nil, false, true, false, false},
		"it says nothing, with a password":             {"oidc", nil, false, false, true, false},
		"it says nothing, and is the only way":         {"oidc", nil, false, false, false, true},
		"Google says nothing":                          {"google", nil, false, true, false, false},
		"Google says nothing, and is the only way":     {"google", nil, false, false, false, true},
		"OAuth 2.0 cannot say":                         {"oauth2", nil, false, true, false, false},
		"OAuth 2.0 says what nobody signed":            {"oauth2", told(time.Minute), false, true, false, false},
		"OAuth 2.0 cannot say, and is the only way in": {"oauth2", nil, false, false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, up := withUpstream(t, func(u *config.Upstream) {
				welcome(u)
				if u.Kind = tt.kind; u.Kind == "oauth2" {
					u.AuthURL, u.TokenURL, u.UserinfoURL, u.Issuer = u.Issuer+"/authorize", u.Issuer+"/token", u.Issuer+"/userinfo", ""
				}
			})
			signsIn(up, "sub", "1", "name", "Ana")
			b := h.browser()
			b.with("school").goesTo(t, "/signin/connect")
			b.post("/signin/connect").goesTo(t, "/account?welcome")
			err := h.app.DB.Update(t.Context(), func(tx *store.Tx) error {
				a, err := tx.AccountBySubject("school", "1")
				if err == nil && tt.email {
					if err = tx.AddEmail(store.Email{Norm: "ana@home.example", Email: "ana@home.example", UserID: a.UserID, VerifiedAt: h.Now(), CreatedAt: h.Now()}); err == nil {
						err = tx.SetPrimary(a.UserID, "ana@home.example", h.Now())
					}
				}
				if err == nil && tt.password {
					if err = tx.SetUsername(a.UserID, "ana", "ana", h.Now()); err == nil {
						err = tx.SetPassword(store.Password{UserID: a.UserID, Hash: "x", ChangedAt: h.Now()})
					}
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			h.pass(time.Hour)
			claims := []any{"sub", "1"}
			if tt.authTime != nil {
				at := h.Now().Add(-*tt.authTime).Unix()
				claims = append(claims, "auth_time", any(at))
				if tt.text {
					claims[3] = "now"
				}
			}
			signsIn(up, claims...)
			b.with("school").goesTo(t, "/account")
			page := b.get("/account/password")
			if tt.fresh {
				page.is(t, http.StatusOK)
				return
			}
			page.goesTo(t, "/account/confirm")
			b.post("/account/password", "password", goodPassword).goesTo(t, "/account/confirm")
		})
	}
}

// The attacker is at the same browser, and the owner has connected two providers, of
// which one asks people again: the other confirms nothing.
func TestAProviderThatAsksNobodyConfirmsNothingBesideOneThatDoes(t *testing.T) {
	t.Parallel()
	up := upstreamtest.New(t)
	at := up.URL
	h := open(t, func(c *config.Config) {
		hub := openID(t, "hub", up)
		hub.Kind, hub.SignUp, hub.Issuer = "oauth2", true, ""
		hub.AuthURL, hub.TokenURL, hub.UserinfoURL = at+"/authorize", at+"/token", at+"/userinfo"
		c.Upstreams = []config.Upstream{hub, openID(t, "school", up)}
	})
	up.Set(func(s *upstreamtest.Server) { s.Now = h.Now })
	signsIn(up, "sub", "1", "name", "Ana")
	b := h.browser()
	b.with("hub").goesTo(t, "/signin/connect")
	b.post("/signin/connect").goesTo(t, "/account?welcome")
	b.link("school").goesTo(t, "/account")
	h.pass(time.Hour)
	b.with("hub").goesTo(t, "/account")
	b.get("/account/password").goesTo(t, "/account/confirm")
	b.post("/account/confirm", "upstream", "hub").is(t, http.StatusNotFound)
	to := b.post("/account/confirm", "upstream", "school").wayOn(t)
	signsIn(up, "sub", "1", "auth_time", h.Now().Unix())
	b.get(b.visit(to)).goesTo(t, "/account/password")
	b.get("/account/password").is(t, http.StatusOK)
}

// The attacker is at the same browser, at an App that asks for a late proof: what the
// App asks for reaches the provider, and nothing else does.
func TestAnAppsWishForALateProofReachesTheProvider(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]string{"0": "0", "300": "300", "-1": "", "9999999999999": "", "1x": "", "": ""} {
		h, up := notesWith(t, "v5", "")
		h.browser().authjs("v5").fromApp("school", "?prompt=login&max_age="+sent)
		if q := up.Asked(); q.Get("max_age") != want || q.Get("prompt") != "login" {
			t.Errorf("max_age=%s: the provider is sent %s", sent, q.Encode())
		}
	}
}
