package web

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/gorilla/securecookie"

	"gatelodge/app/factor"
	"gatelodge/app/login"
)

// hint is an account that was used in this browser, and how. It opens nothing: it
// saves its owner typing. It is sealed, so that nobody puts an account there, and
// shown only while the account knows the browser: one that was sent away learns no
// new name or address.
type hint struct {
	UserID string       `json:"u"`
	Means  factor.Means `json:"m"`
}

// maxHints is how many accounts a browser remembers.
const maxHints = 5

// readHints returns the accounts of this browser, the last used first.
func (c *Cookies) readHints(r *http.Request) []hint {
	var list []hint
	cookie, err := r.Cookie(c.name(hintCookie))
	if err != nil {
		return nil
	}
	if err := securecookie.DecodeMulti(c.name(hintCookie), cookie.Value, &list, c.hints...); err != nil {
		return nil
	}
	return list
}

// saveHints makes the browser remember the accounts, or forget when there are none.
func (c *Cookies) saveHints(w http.ResponseWriter, list []hint) error {
	if len(list) == 0 {
		c.setLasting(w, c.name(hintCookie), "")
		return nil
	}
	value, err := securecookie.EncodeMulti(c.name(hintCookie), list, c.hints...)
	if err != nil {
		return fmt.Errorf("sealing the accounts of a browser: %w", err)
	}
	c.setLasting(w, c.name(hintCookie), value)
	return nil
}

// remember puts an account first among those of this browser.
func (s *Server) remember(w http.ResponseWriter, r *http.Request, userID, amr string) error {
	list := slices.Insert(without(s.cookies.readHints(r), userID), 0, hint{userID, factor.Read(amr).First()})
	return s.cookies.saveHints(w, list[:min(len(list), maxHints)])
}

// without returns the accounts but one.
func without(list []hint, userID string) []hint {
	return slices.DeleteFunc(list, func(h hint) bool { return h.UserID == userID })
}

// Known is an account as the sign-in page offers it.
type Known struct {
	Number     int // its place in the browser's list
	Person     Person
	Identifier string       // what its owner would type
	Means      factor.Means // how it was used last
	Method     string       // what people call that, or ""
	// Upstream is the one it was used with last, or nil.
	Upstream *UpstreamButton
	Mail     bool // it is an address that a link can be mailed to
	Password bool // it can be typed with a password
}

// ByPassword reports whether the password leads: it was used last, or no mail can be
// sent.
func (k Known) ByPassword() bool { return k.Password && (k.Means == factor.Password || !k.Mail) }

func (k Known) number() string { return strconv.Itoa(k.Number) }

// remembered returns the accounts that this browser remembers and that still exist.
func (s *Server) remembered(q *Request) ([]Known, error) {
	var list []Known
	a := q.Attempt()
	a.AppLogin = nil
	for i, h := range s.cookies.readHints(q.Request) {
		u, ok, err := s.Login.Owner(q.Context(), &a.Login, h.UserID)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		k := Known{
			Number: i, Person: Person{Name: u.Name, Email: u.Email, Handle: u.Called()}, Identifier: u.Called(), Means: h.Means,
			Mail: u.HasEmail(), Password: s.Passwords && (u.HasEmail() || u.Username != ""),
		}
		for _, b := range s.upstreamButtons(h.Means) {
			if b.Last {
				k.Upstream = &b
			}
		}
		switch p := q.Printer(); {
		case k.Upstream != nil:
			k.Method = k.Upstream.Name
		case k.Means == factor.Email:
			k.Method = p.Say("known.by_email")
		case k.Means == factor.Password:
			k.Method = p.Say("known.by_password")
		}
		if k.Mail || k.Password || k.Upstream != nil {
			list = append(list, k)
		}
	}
	return list, nil
}

// postForget makes this browser forget its accounts, and their owners forget it.
func (s *Server) postForget(q *Request) error {
	a := q.Attempt()
	for _, h := range s.cookies.readHints(q.Request) {
		if err := s.Login.ForgetBrowser(q.Context(), q.From(), h.UserID, a.Device); err != nil {
			return err
		}
	}
	if err := s.cookies.saveHints(q.W, nil); err != nil {
		return err
	}
	s.cookies.setDevice(q.W, "")
	a.Login = login.Login{Return: a.Return}
	a.Notice = "known.forgotten"
	if err := q.SaveAttempt(a); err != nil {
		return err
	}
	return q.Redirect("/signin")
}
