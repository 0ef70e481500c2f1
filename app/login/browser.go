package login

import (
	"context"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/challenge"
	"gatelodge/app/factor"
	"gatelodge/app/links"
	"gatelodge/app/mail/compose"
	"gatelodge/app/mail/post"
	"gatelodge/app/people"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// DeviceLifetime is how long a browser is known without being used.
const DeviceLifetime = 400 * 24 * time.Hour

// notMeFor is how long "this was not me" works in the mail about a new browser.
const notMeFor = 7 * 24 * time.Hour

// rememberBrowser makes this browser one that the user has signed in with, and returns its
// token. A user who has others is notified of a new one by mail; it is in the same
// transaction as the session, so nobody gets in untold. A token that the browser had
// before its user came may have been put there by somebody who keeps a copy: it is
// changed, for all who signed in with the browser. A browser that others use too
// stays a stranger, and gets no token.
func (f *Flow) rememberBrowser(tx *store.Tx, from audit.Origin, l *Login, u store.User, row store.Session) (token string, err error) {
	token = l.Device
	hash, _ := l.deviceHash()
	if err := f.rekeyBrowser(tx, l, hash); err != nil {
		return "", err
	}
	known, any, err := tx.KnowsBrowser(u.ID, hash)
	if err != nil {
		return "", err
	}
	switch {
	case !known && l.Ephemeral:
		token = ""
	case !known:
		old := hash
		token = secret.Token()
		hash, _ = l.hashOf(token)
		if err := tx.RenewBrowser(old, hash); err != nil {
			return "", err
		}
	}
	if token != "" {
		if err := tx.RememberBrowser(u.ID, hash, from.Device, f.Now()); err != nil {
			return "", err
		}
		if !l.byMailAlone() {
			if err := tx.OwnBrowser(u.ID, hash); err != nil {
				return "", err
			}
		}
	}
	if known || !any {
		return token, nil
	}
	if err := f.Audit.Record(tx, from, audit.NewBrowser, audit.ByUser, u.ID, ""); err != nil {
		return "", err
	}
	if !u.HasEmail() {
		return token, nil
	}
	issued := f.Challenges.Issue(challenge.Ask{
		From: from, Purpose: challenge.NotMe, EmailNorm: u.EmailNorm, UserID: u.ID, BrowserHash: challenge.NoBrowser(), Sends: 1, Detail: row.ID, For: notMeFor,
	})
	if err := tx.AddChallenge(issued.Challenge); err != nil {
		return "", err
	}
	return token, f.Post.Add(tx, compose.NewDevice{
		At: row.CreatedAt, Device: from.Device, IP: from.IP, Means: f.meansNamed(row.AMR), Link: f.PublicURL + links.Mailed(issued.Token),
	}, post.Terms{To: people.MailAddress(u), Language: u.Language, TimeZone: from.ZoneFor(u.TimeZone), Reference: from.Reference, ChallengeID: issued.ID, NotAfter: issued.ExpiresAt})
}

// rekeyBrowser makes a browser that an earlier version knew at an App's address, by the
// App's name, one that is known there by its id.
func (f *Flow) rekeyBrowser(tx *store.Tx, l *Login, hash []byte) error {
	token, ok := secret.Hash(l.Device)
	if !ok || l.AppLogin == nil || !l.AppLogin.Here {
		return nil
	}
	name := f.Apps.Snapshot().NameOf(l.AppLogin.App)
	if name == l.AppLogin.App {
		return nil
	}
	return tx.RenewBrowser(secret.MAC(token, "device", name), hash)
}

// meansNamed are those of a session, with the name of an upstream in place of its id.
func (f *Flow) meansNamed(amr string) []string {
	list := factor.Read(amr)
	text := make([]string, len(list))
	for i, m := range list {
		if id, ok := m.Upstream(); ok {
			m = factor.Upstream(f.Upstreams.NameOf(id))
		}
		text[i] = string(m)
	}
	return text
}

// Owner returns a user for the browser that they have signed in with, and whether
// they are one: what a page says of somebody before they sign in, it says there alone.
func (f *Flow) Owner(ctx context.Context, l *Login, userID string) (u store.User, known bool, err error) {
	device, _ := l.deviceHash()
	err = f.DB.View(ctx, func(tx *store.Tx) (err error) {
		if known, _, err = tx.KnowsBrowser(userID, device); err != nil || !known {
			return err
		}
		u, err = tx.UserByID(userID)
		return err
	})
	return u, known, err
}

// ForgetBrowser makes the browser with that token a stranger to the user, whoever asks
// for it there.
func (f *Flow) ForgetBrowser(ctx context.Context, from audit.Origin, userID, token string) error {
	hash, ok := secret.Hash(token)
	if !ok {
		return nil
	}
	return f.ForgetBrowserOf(ctx, from, audit.ByVisitor, userID, hash)
}

// ForgetBrowserOf makes the browser with that hash a stranger to the user. One that is
// not theirs is no error.
func (f *Flow) ForgetBrowserOf(ctx context.Context, from audit.Origin, actor, userID string, hash []byte) error {
	return f.DB.Update(ctx, func(tx *store.Tx) error {
		known, _, err := tx.KnowsBrowser(userID, hash)
		if err != nil || !known {
			return err
		}
		if err := tx.ForgetBrowser(userID, hash); err != nil {
			return err
		}
		if err := f.Audit.Record(tx, from, audit.BrowserGone, actor, userID, ""); err != nil {
			return err
		}
		_, any, err := tx.KnowsBrowser(userID, nil)
		if err != nil || any {
			return err
		}
		return people.ForgetBrowsers(tx, userID, f.Now())
	})
}
