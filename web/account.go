package web

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"gatelodge/app/account"
	"gatelodge/app/audit"
	"gatelodge/app/device"
	"gatelodge/app/factor"
	"gatelodge/app/mail/outbox"
	"gatelodge/app/people"
	"gatelodge/app/session"
	"gatelodge/store"
	"gatelodge/web/shell"
)

// personal is the layout of a page for somebody who is signed in.
func (s *pages) personal(q *shell.Request, u store.User) Layout {
	l := q.Layout()
	l.Person, l.Manages = Person{Name: u.Name, Email: u.Email, Handle: u.Called()}, u.Admin
	if u.Admin && strings.HasPrefix(q.Pattern, "/admin") {
		l.Alarm = s.alarm(q)
		if s.Listener != nil {
			l.Shut = s.Listener.Trouble()
		}
	}
	return l
}

// alarm is what is wrong with the mail. That it cannot be read is no reason for a
// page about something else not to be there.
func (s *pages) alarm(q *shell.Request) outbox.Alarm {
	alarm, err := s.Outbox.Alarm(q.Context())
	if err != nil {
		s.Log.ErrorContext(q.Context(), "how the mail fares could not be read", "ref", shell.Reference(q.Request), "err", err)
	}
	return alarm
}

func (s accountPages) getAccount(q *shell.Request) error {
	cur := q.Current
	rows, err := s.Sessions.Of(q.Context(), cur.User.ID)
	if err != nil {
		return err
	}
	a := q.Attempt()
	warns := a.Warns
	page := AccountPage{
		Layout: s.personal(q, cur.User), Admin: cur.User.Admin, Since: cur.User.CreatedAt, Username: cur.User.Username,
		Devices: s.devices(rows, cur.Session, q.From()), Warns: warns, Notice: q.Notice(&a), Welcome: q.URL.Query().Has("welcome"),
	}
	u, methods, err := s.Account.UserAndMethods(q.Context(), cur.User.ID)
	if err != nil {
		return err
	}
	page.Own, page.Upstreams = s.ownMethods(methods), s.upstreamButtons("")
	page.Unproven = u.HasEmail() && u.EmailVerifiedAt.IsZero()
	page.OneMethod = s.hasOneMethod(u, methods)
	if page.Browsers, err = s.ownBrowsers(q, u.ID); err != nil {
		return err
	}
	if page.Notice != "" {
		q.DropAttempt()
	}
	return q.Render(http.StatusOK, "account.html", page)
}

// ownWays lists how somebody signs in by what is kept here, and a password that
// could be set.
func (s accountPages) ownMethods(methods []account.SignInMethod) []OwnMethod {
	var list []OwnMethod
	set := false
	for _, way := range methods {
		list = append(list, ownMethod(methods, way))
		set = set || way.Kind == "password"
	}
	if s.Passwords && !set {
		list = append(list, OwnMethod{Kind: "password"})
	}
	return list
}

// ownWay shows one of a user's sign-in methods.
func ownMethod(methods []account.SignInMethod, way account.SignInMethod) OwnMethod {
	return OwnMethod{
		Kind: way.Kind, Name: way.Name, Detail: way.Detail, ID: way.ID, At: way.At, UsedAt: way.UsedAt, Broken: way.Broken, Idle: way.Idle,
		Last: account.IsLast(methods, way.ID),
	}
}

// hasOneMethod reports whether a user has one way to sign in and could add another.
func (s accountPages) hasOneMethod(u store.User, methods []account.SignInMethod) bool {
	return account.Usable(methods) == 1 && (!u.HasEmail() || s.Passwords || len(s.Upstreams.All()) > 0)
}

// ownBrowsers lists the browsers that a user is known by.
func (s accountPages) ownBrowsers(q *shell.Request, userID string) ([]OwnBrowser, error) {
	known, err := s.Account.Browsers(q.Context(), userID)
	if err != nil {
		return nil, err
	}
	this := people.BrowserOf("", q.Attempt().Device)
	var list []OwnBrowser
	for _, b := range known {
		// One without a name stands for many, or was last used before names were kept.
		if b.Device != "" {
			list = append(list, OwnBrowser{ID: hex.EncodeToString(b.Hash), Label: b.Device, SeenAt: b.SeenAt, Current: bytes.Equal(b.Hash, this.Device)})
		}
	}
	return list, nil
}

// postForgetBrowser makes a browser a stranger to whoever is signed in: they are notified
// when it comes again, and it counts as any other's.
func (s accountPages) postForgetBrowser(q *shell.Request) error {
	cur := q.Current
	hash, err := hex.DecodeString(q.PostForm.Get("browser"))
	if err != nil {
		return shell.ErrNotFound
	}
	if err := s.Login.ForgetBrowserOf(q.Context(), q.From(), audit.ByUser, cur.User.ID, hash); err != nil {
		return err
	}
	return s.backToAccount(q, "devices.browser_forgotten", 0)
}

// devices lists a user's sessions, this one first.
func (s accountPages) devices(rows []store.Session, current store.Session, from audit.Origin) []Device {
	list := make([]Device, 0, len(rows))
	for _, row := range rows {
		d := Device{
			ID: row.ID, Label: row.Device, Phone: device.Phone(row.Device), IP: row.IP, SameNetwork: sameNetwork(row.IP, from.Network),
			SignedInAt: row.CreatedAt, SeenAt: row.SeenAt, Current: row.ID == current.ID,
		}
		first := factor.Read(row.AMR).First()
		d.Method = string(first)
		if id, ok := first.Upstream(); ok {
			d.Upstream = s.Upstreams.NameOf(id)
		}
		if d.Current {
			// The row may be a minute behind.
			d.IP = from.IP
			list = slices.Insert(list, 0, d)
			continue
		}
		list = append(list, d)
	}
	return list
}

func sameNetwork(ip, ours string) bool {
	a, err := netip.ParseAddr(ip)
	return err == nil && shell.Network(a) == ours
}

func (s accountPages) postEndDevice(q *shell.Request) error {
	cur := q.Current
	id := q.Param("id")
	if id == cur.Session.ID {
		if err := s.Sessions.End(q.Context(), q.From(), audit.ByUser, cur.User.ID, id); err != nil {
			return err
		}
		return s.signedOut(q)
	}
	if err := q.Renew(); err != nil {
		return err
	}
	if err := s.Sessions.End(q.Context(), q.From(), audit.ByUser, cur.User.ID, id); err != nil {
		return err
	}
	return s.backToAccount(q, "devices.ended", 1)
}

func (s accountPages) postEndOthers(q *shell.Request) error {
	cur := q.Current
	// A copy of this browser's cookie is one of the others.
	n, err := s.Sessions.EndAll(q.Context(), q.From(), audit.ByUser, cur.User.ID, cur.Session.ID)
	if err != nil {
		return err
	}
	return s.backToAccount(q, "devices.others_ended", n)
}

// backToAccount shows the account page with a sentence about what was done.
func (s accountPages) backToAccount(q *shell.Request, notice string, n int) error {
	return q.BackTo("/account", notice, n)
}

// warnAtAccount shows the account page with a sentence about what was refused.
func (s accountPages) warnAtAccount(q *shell.Request, notice string) error {
	a := q.Attempt()
	a.Notice, a.Count, a.Warns = notice, 0, true
	if err := q.SaveAttempt(a); err != nil {
		return err
	}
	return q.Redirect("/account")
}

// notified picks the sentence about a change that is notified by mail: the
// second, for somebody who has no address.
func notified(u store.User, byMail, untold string) string {
	if u.HasEmail() {
		return byMail
	}
	return untold
}

// getSignOut asks before it signs out: a GET must not.
func (s accountPages) getSignOut(q *shell.Request) error {
	cur, err := q.WhoIs()
	if errors.Is(err, session.ErrNone) {
		return q.Render(http.StatusOK, "signed-out.html", SignedOutPage{Layout: q.Layout()})
	}
	if err != nil {
		return err
	}
	rows, err := s.Sessions.Of(q.Context(), cur.User.ID)
	if err != nil {
		return err
	}
	return q.Render(http.StatusOK, "signout.html", SignOutPage{Layout: s.personal(q, cur.User), Devices: len(rows)})
}

func (s accountPages) postSignOut(q *shell.Request) error {
	if q.PostForm.Get("everywhere") != "" {
		cur, err := q.WhoIs()
		if err != nil && !errors.Is(err, session.ErrNone) {
			return err
		}
		if err == nil {
			if _, err := s.Sessions.EndAll(q.Context(), q.From(), audit.ByUser, cur.User.ID, ""); err != nil {
				return err
			}
		}
	} else if err := s.Sessions.SignOut(q.Context(), q.From(), q.SessionToken()); err != nil {
		return err
	}
	return s.signedOut(q)
}

func (s accountPages) signedOut(q *shell.Request) error {
	s.Cookies.DropSession(q.W)
	q.DropAttempt()
	return q.Redirect("/signout")
}
