package shell

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatelodge/app/login"
	"gatelodge/app/secret"
)

// Every journey to an upstream has a cookie of its own: several tabs set out at the same
// time, before any of them has the login cookie, and each returns by itself.

// journeyCookie begins the name of those cookies; the state's hash follows.
const journeyCookie = "gatelodge-journey-"

// maxJourneys is how many a browser keeps: proxies refuse longer headers.
const maxJourneys = 4

// journeyName is the name of the cookie for a state: a part of its hash.
func (c *Cookies) journeyName(state string) string {
	return c.Name(journeyCookie) + hex.EncodeToString(secret.MAC([]byte("journey"), state)[:4])
}

// setJourney gives the browser the token of the journey that an upstream's address
// begins. The oldest of too many go.
func (c *Cookies) SetJourney(w http.ResponseWriter, r *http.Request, to, token string, now time.Time) error {
	u, err := url.Parse(to)
	if err != nil {
		return err
	}
	var others []*http.Cookie
	for _, cookie := range r.Cookies() {
		if strings.HasPrefix(cookie.Name, c.Name(journeyCookie)) {
			others = append(others, cookie)
		}
	}
	slices.SortFunc(others, func(a, b *http.Cookie) int { return strings.Compare(b.Value, a.Value) }) // they begin with their time
	for _, old := range others[min(len(others), maxJourneys-1):] {
		c.setJourneyCookie(w, old.Name, "", -1)
	}
	value := strconv.FormatInt(now.Unix(), 36) + "." + token
	c.setJourneyCookie(w, c.journeyName(u.Query().Get("state")), value, int(login.Lifetime.Seconds()))
	return nil
}

func (c *Cookies) setJourneyCookie(w http.ResponseWriter, name, value string, age int) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteLaxMode, MaxAge: age})
}

// journey returns the token of the journey with that state, or "".
func (c *Cookies) Journey(r *http.Request, state string) string {
	cookie, err := r.Cookie(c.journeyName(state))
	if err != nil {
		return ""
	}
	_, token, _ := strings.Cut(cookie.Value, ".")
	return token
}
