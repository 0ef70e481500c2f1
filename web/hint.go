package web

import (
	"net/http"
	"slices"
	"strconv"

	"gatelodge/app/factor"
	"gatelodge/app/login"
	"gatelodge/web/shell"
)

// remember puts an account first among those of this browser.
func (s signInPages) remember(w http.ResponseWriter, r *http.Request, userID, amr string) error {
	list := slices.Insert(without(s.Cookies.ReadHints(r), userID), 0, shell.Hint{UserID: userID, Means: factor.Read(amr).First()})
	return s.Cookies.SaveHints(w, list[:min(len(list), shell.MaxHints)])
}

// without returns the accounts but one.
func without(list []shell.Hint, userID string) []shell.Hint {
	return slices.DeleteFunc(list, func(h shell.Hint) bool { return h.UserID == userID })
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
func (s signInPages) remembered(q *shell.Request) ([]Known, error) {
	var list []Known
	a := q.Attempt()
	a.AppLogin = nil
	for i, h := range s.Cookies.ReadHints(q.Request) {
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
func (s signInPages) postForget(q *shell.Request) error {
	a := q.Attempt()
	for _, h := range s.Cookies.ReadHints(q.Request) {
		if err := s.Login.ForgetBrowser(q.Context(), q.From(), h.UserID, a.Device); err != nil {
			return err
		}
	}
	if err := s.Cookies.SaveHints(q.W, nil); err != nil {
		return err
	}
	s.Cookies.SetDevice(q.W, "")
	a.Login = login.Login{Return: a.Return}
	a.Notice = "known.forgotten"
	if err := q.SaveAttempt(a); err != nil {
		return err
	}
	return q.Redirect("/signin")
}
