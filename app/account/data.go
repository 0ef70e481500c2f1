package account

import (
	"context"
	"encoding/base64"
	"errors"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/challenge"
	"gatelodge/store"
)

// Data is everything that is held about a user, as they take it along. Secrets are
// not in it: what is kept of them is of no use to anybody.
type Data struct {
	ID            string        `json:"id"`
	Name          string        `json:"name"`
	Username      string        `json:"username"`
	Email         string        `json:"email"`
	Emails        []DataEmail   `json:"emails"`
	Waiting       []DataWaiting `json:"waitingEmails"`
	Image         string        `json:"image"`
	Language      string        `json:"language"`
	Theme         string        `json:"theme"`
	Groups        []string      `json:"groups"`
	TimeZone      string        `json:"timeZone"`
	Admin         bool          `json:"admin"`
	CreatedAt     time.Time     `json:"createdAt"`
	PasswordSetAt *time.Time    `json:"passwordSetAt"`
	Accounts      []DataAccount `json:"accounts"`
	Sessions      []DataSession `json:"sessions"`
	Apps          []DataApp     `json:"apps"`
	Browsers      []DataBrowser `json:"browsers"`
	Passkeys      []DataPasskey `json:"passkeys"`
	History       []DataEvent   `json:"history"`
}

// DataEmail is an address.
type DataEmail struct {
	Email      string     `json:"email"`
	VerifiedAt *time.Time `json:"verifiedAt"`
	AddedAt    time.Time  `json:"addedAt"`
}

// DataWaiting is an address that waits to be confirmed.
type DataWaiting struct {
	Email   string    `json:"email"`
	AskedAt time.Time `json:"askedAt"`
	Until   time.Time `json:"until"`
}

// DataApp is an app's share of a session.
type DataApp struct {
	App       string    `json:"app"`
	EnteredAt time.Time `json:"enteredAt"`
}

// DataBrowser is a browser that is known again.
type DataBrowser struct {
	Device      string    `json:"device"`
	FirstUsedAt time.Time `json:"firstUsedAt"`
	LastUsedAt  time.Time `json:"lastUsedAt"`
}

// DataPasskey is a passkey. What is kept of it is its public half.
type DataPasskey struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Synced     bool       `json:"synced"`
	AddedAt    time.Time  `json:"addedAt"`
	LastUsedAt *time.Time `json:"lastUsedAt"`
}

// DataAccount is an account elsewhere that signs in to this one.
type DataAccount struct {
	Provider   string     `json:"provider"`
	Subject    string     `json:"subject"`
	Email      string     `json:"email"`
	Name       string     `json:"name"`
	Scope      string     `json:"scope"`
	LinkedAt   time.Time  `json:"linkedAt"`
	LastUsedAt *time.Time `json:"lastUsedAt"`
}

// DataSession is a browser that is signed in.
type DataSession struct {
	Device     string    `json:"device"`
	IP         string    `json:"ip"`
	Means      string    `json:"means"`
	SignedInAt time.Time `json:"signedInAt"`
	LastUsedAt time.Time `json:"lastUsedAt"`
	ExpiresAt  time.Time `json:"expiresAt"`
}

// DataEvent is something that happened.
type DataEvent struct {
	At        time.Time `json:"at"`
	Kind      string    `json:"kind"`
	By        string    `json:"by"`
	IP        string    `json:"ip"`
	Device    string    `json:"device"`
	Reference string    `json:"reference"`
	Detail    string    `json:"detail"`
}

// dataEvents bounds the history in what is taken along: more than a year of an
// eager user.
const dataEvents = 10_000

// Data returns everything that is held about the user.
func (s *Service) Data(ctx context.Context, from audit.Origin, userID string) (Data, error) {
	s.Audit.Flush()
	var data Data
	err := s.DB.View(ctx, func(tx *store.Tx) error {
		u, err := tx.UserByID(userID)
		if err != nil {
			return err
		}
		data = Data{
			ID: u.ID, Name: u.Name, Username: u.Username, Email: u.Email, Image: u.Image, Language: u.Language, Theme: u.Theme, TimeZone: u.TimeZone, Admin: u.Admin,
			CreatedAt: u.CreatedAt.UTC(), Emails: []DataEmail{}, Accounts: []DataAccount{}, Sessions: []DataSession{}, History: []DataEvent{},
			Waiting: []DataWaiting{}, Apps: []DataApp{}, Browsers: []DataBrowser{}, Passkeys: []DataPasskey{},
		}
		p, err := tx.PasswordOf(userID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		data.PasswordSetAt = moment(p.ChangedAt)
		groups, err := tx.GroupsOf(userID)
		if err != nil {
			return err
		}
		data.Groups = append([]string{}, groups...)
		emails, err := tx.EmailsOf(userID)
		if err != nil {
			return err
		}
		for _, e := range emails {
			data.Emails = append(data.Emails, DataEmail{e.Email, moment(e.VerifiedAt), e.CreatedAt.UTC()})
		}
		accounts, err := tx.AccountsOf(userID)
		if err != nil {
			return err
		}
		for _, a := range accounts {
			data.Accounts = append(data.Accounts, DataAccount{a.Provider, a.Subject, a.Email, a.Name, a.Tokens.Scope, a.CreatedAt.UTC(), moment(a.UsedAt)})
		}
		sessions, err := tx.SessionsOf(userID, s.Now())
		if err != nil {
			return err
		}
		for _, s := range sessions {
			data.Sessions = append(data.Sessions, DataSession{s.Device, s.IP, s.AMR, s.CreatedAt.UTC(), s.SeenAt.UTC(), s.ExpiresAt.UTC()})
		}
		if err := s.more(tx, userID, &data); err != nil {
			return err
		}
		events, err := tx.EventsOf(userID, dataEvents)
		for _, e := range events {
			if e.Actor == audit.ByAdmin {
				e.IP, e.Device = "", "" // theirs, not the user's
			}
			data.History = append(data.History, DataEvent{e.At.UTC(), e.Kind, e.Actor, e.IP, e.Device, e.Reference, e.Detail})
		}
		return err
	})
	if err != nil {
		return Data{}, err
	}
	return data, s.DB.Update(ctx, func(tx *store.Tx) error {
		return s.Audit.Record(tx, from, audit.DataTaken, audit.ByUser, userID, "")
	})
}

// more adds what waits and what is remembered.
func (s *Service) more(tx *store.Tx, userID string, data *Data) error {
	waiting, err := tx.ChallengesOf(userID, challenge.ConfirmEmail, s.Now())
	if err != nil {
		return err
	}
	for _, c := range waiting {
		data.Waiting = append(data.Waiting, DataWaiting{typedIn(c), c.CreatedAt.UTC(), c.ExpiresAt.UTC()})
	}
	shares, err := tx.AppSessionsOf(userID, s.Now())
	if err != nil {
		return err
	}
	for _, a := range shares {
		data.Apps = append(data.Apps, DataApp{s.Apps.Snapshot().NameOf(a.App), a.CreatedAt.UTC()})
	}
	browsers, err := tx.BrowsersOf(userID)
	if err != nil {
		return err
	}
	for _, b := range browsers {
		data.Browsers = append(data.Browsers, DataBrowser{b.Device, b.CreatedAt.UTC(), b.SeenAt.UTC()})
	}
	passkeys, err := tx.PasskeysOf(userID)
	for _, p := range passkeys {
		data.Passkeys = append(data.Passkeys, DataPasskey{
			base64.RawURLEncoding.EncodeToString(p.CredentialID), p.Name, p.BackedUp, p.CreatedAt.UTC(), moment(p.UsedAt),
		})
	}
	return err
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
