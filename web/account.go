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
)

// signedIn calls h for whoever is signed in and sends everybody else to the
// sign-in page.
func (s *Server) signedIn(w http.ResponseWriter, r *http.Request, h func(session.Current) error) error {
	cur, err := s.current(w, r)
	if errors.Is(err, session.ErrNone) {
		return s.toSignIn(w, r)
	}
	if err != nil {
		return err
	}
	return h(cur)
}

// personal is the layout of a page for somebody who is signed in.
func (s *Server) personal(r *http.Request, u store.User) Layout {
	l := s.layout(r)
	l.Person, l.Manages = Person{Name: u.Name, Email: u.Email, Handle: u.Called()}, u.Admin
	if u.Admin && strings.HasPrefix(r.Pattern, "/admin") {
		l.Alarm = s.alarm(r)
		if s.Listener != nil {
			l.Shut = s.Listener.Trouble()
		}
	}
	return l
}

// alarm is what is wrong with the mail. That it cannot be read is no reason for a
// page about something else not to be there.
func (s *Server) alarm(r *http.Request) outbox.Alarm {
	alarm, err := s.Outbox.Alarm(r.Context())
	if err != nil {
		s.Log.ErrorContext(r.Context(), "how the mail fares could not be read", "ref", reference(r), "err", err)
	}
	return alarm
}

func (s *Server) getAccount(w http.ResponseWriter, r *http.Request) error {
	return s.signedIn(w, r, func(cur session.Current) error {
		rows, err := s.Sessions.Of(r.Context(), cur.User.ID)
		if err != nil {
			return err
		}
		a := s.cookies.readLogin(r)
		warns := a.Warns
		page := AccountPage{
			Layout: s.personal(r, cur.User), Admin: cur.User.Admin, Since: cur.User.CreatedAt, Username: cur.User.Username,
			Devices: s.devices(rows, cur.Session, s.from(r)), Warns: warns, Notice: s.notice(r, &a), Welcome: r.URL.Query().Has("welcome"),
		}
		u, ways, err := s.Account.UserAndMethods(r.Context(), cur.User.ID)
		if err != nil {
			return err
		}
		page.Own, page.Upstreams = s.ownWays(ways), s.upstreamButtons("")
		page.Unproven = u.HasEmail() && u.EmailVerifiedAt.IsZero()
		page.OneWay = s.hasOneWay(u, ways)
		if page.Browsers, err = s.ownBrowsers(r, u.ID); err != nil {
			return err
		}
		if page.Notice != "" {
			s.cookies.dropLogin(w)
		}
		return s.render(w, r, http.StatusOK, "account.html", page)
	})
}

// ownWays lists how somebody signs in by what is kept here, and a password that
// could be set.
func (s *Server) ownWays(ways []account.SignInMethod) []OwnWay {
	var list []OwnWay
	set := false
	for _, way := range ways {
		list = append(list, ownWay(ways, way))
		set = set || way.Kind == "password"
	}
	if s.Passwords && !set {
		list = append(list, OwnWay{Kind: "password"})
	}
	return list
}

// ownWay shows one of somebody's ways to sign in.
func ownWay(ways []account.SignInMethod, way account.SignInMethod) OwnWay {
	return OwnWay{
		Kind: way.Kind, Name: way.Name, Detail: way.Detail, ID: way.ID, At: way.At, UsedAt: way.UsedAt, Broken: way.Broken, Idle: way.Idle,
		Last: account.IsLast(ways, way.ID),
	}
}

// hasOneWay reports whether a user has one way to sign in and could add another.
func (s *Server) hasOneWay(u store.User, ways []account.SignInMethod) bool {
	return account.Usable(ways) == 1 && (!u.HasEmail() || s.Passwords || len(s.Upstreams.All()) > 0)
}

// ownBrowsers lists the browsers that a user is known by.
func (s *Server) ownBrowsers(r *http.Request, userID string) ([]OwnBrowser, error) {
	known, err := s.Account.Browsers(r.Context(), userID)
	if err != nil {
		return nil, err
	}
	this := people.BrowserOf("", s.cookies.readLogin(r).Device)
	var list []OwnBrowser
	for _, b := range known {
		// One without a name stands for many, or was last used before names were kept.
		if b.Device != "" {
			list = append(list, OwnBrowser{ID: hex.EncodeToString(b.Hash), Label: b.Device, SeenAt: b.SeenAt, Current: bytes.Equal(b.Hash, this.Device)})
		}
	}
	return list, nil
}

// postForgetBrowser makes a browser a stranger to whoever is signed in: they are told
// when it comes again, and it counts as any other's.
func (s *Server) postForgetBrowser(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	return s.signedIn(w, r, func(cur session.Current) error {
		hash, err := hex.DecodeString(r.PostForm.Get("browser"))
		if err != nil {
			return errNotFound
		}
		return s.renewed(w, r, cur, func(cur session.Current) error {
			if err := s.Login.ForgetBrowserOf(r.Context(), s.from(r), audit.ByUser, cur.User.ID, hash); err != nil {
				return err
			}
			return s.backToAccount(w, r, "devices.browser_forgotten", 0)
		})
	})
}

// devices lists a user's sessions, this one first.
func (s *Server) devices(rows []store.Session, current store.Session, from audit.Origin) []Device {
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
	return err == nil && network(a) == ours
}

func (s *Server) postEndDevice(w http.ResponseWriter, r *http.Request) error {
	return s.signedIn(w, r, func(cur session.Current) error {
		id := param(r, "id")
		if id == cur.Session.ID {
			if err := s.Sessions.End(r.Context(), s.from(r), audit.ByUser, cur.User.ID, id); err != nil {
				return err
			}
			return s.signedOut(w, r)
		}
		return s.renewed(w, r, cur, func(cur session.Current) error {
			if err := s.Sessions.End(r.Context(), s.from(r), audit.ByUser, cur.User.ID, id); err != nil {
				return err
			}
			return s.backToAccount(w, r, "devices.ended", 1)
		})
	})
}

func (s *Server) postEndOthers(w http.ResponseWriter, r *http.Request) error {
	return s.signedIn(w, r, func(cur session.Current) error {
		// A copy of this browser's cookie is one of the others.
		return s.renewed(w, r, cur, func(cur session.Current) error {
			n, err := s.Sessions.EndAll(r.Context(), s.from(r), audit.ByUser, cur.User.ID, cur.Session.ID)
			if err != nil {
				return err
			}
			return s.backToAccount(w, r, "devices.others_ended", n)
		})
	})
}

// backToAccount shows the account page with a sentence about what was done.
func (s *Server) backToAccount(w http.ResponseWriter, r *http.Request, notice string, n int) error {
	return s.backTo(w, r, "/account", notice, n)
}

// warnAtAccount shows the account page with a sentence about what was refused.
func (s *Server) warnAtAccount(w http.ResponseWriter, r *http.Request, notice string) error {
	a := s.cookies.readLogin(r)
	a.Notice, a.Count, a.Warns = notice, 0, true
	if err := s.cookies.saveLogin(w, a); err != nil {
		return err
	}
	return s.redirect(w, r, "/account")
}

// told picks the sentence about something of which its owner is told by mail: the
// second, for somebody who has no address.
func told(u store.User, byMail, untold string) string {
	if u.HasEmail() {
		return byMail
	}
	return untold
}

// getSignOut asks before it signs out: a GET must not.
func (s *Server) getSignOut(w http.ResponseWriter, r *http.Request) error {
	cur, err := s.current(w, r)
	if errors.Is(err, session.ErrNone) {
		return s.render(w, r, http.StatusOK, "signed-out.html", SignedOutPage{Layout: s.layout(r)})
	}
	if err != nil {
		return err
	}
	rows, err := s.Sessions.Of(r.Context(), cur.User.ID)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "signout.html", SignOutPage{Layout: s.personal(r, cur.User), Devices: len(rows)})
}

func (s *Server) postSignOut(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	if r.PostForm.Get("everywhere") != "" {
		cur, err := s.current(w, r)
		if err != nil && !errors.Is(err, session.ErrNone) {
			return err
		}
		if err == nil {
			if _, err := s.Sessions.EndAll(r.Context(), s.from(r), audit.ByUser, cur.User.ID, ""); err != nil {
				return err
			}
		}
	} else if err := s.Sessions.SignOut(r.Context(), s.from(r), s.cookies.sessionToken(r)); err != nil {
		return err
	}
	return s.signedOut(w, r)
}

func (s *Server) signedOut(w http.ResponseWriter, r *http.Request) error {
	s.cookies.dropSession(w)
	s.cookies.dropLogin(w)
	return s.redirect(w, r, "/signout")
}
