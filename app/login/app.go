package login

import (
	"context"

	"gatelodge/app/audit"
	"gatelodge/app/gate"
	"gatelodge/app/session"
	"gatelodge/store"
)

// finishApp starts the session of an attempt that is for an App alone.
func (f *Flow) finishApp(tx *store.Tx, from audit.From, l *Login, u store.User) (Outcome, error) {
	if err := f.decide(tx, l.Entry.App, u); err != nil {
		return Outcome{}, err
	}
	_, row, err := f.Sessions.Start(tx, from, session.Begin{UserID: u.ID, AMR: l.amr(), AuthAt: l.authAt()})
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{Session: row, User: u}
	if l.Entry.Here {
		out.AppToken, err = f.Sessions.StartApp(tx, l.Entry.App, row.ID)
	} else {
		out.Code, err = f.Sessions.HandOff(tx, l.Entry.App, row.ID, l.Entry.Browser)
	}
	if err != nil {
		return Outcome{}, err
	}
	if out.Device, err = f.meet(tx, from, l, u, row); err != nil {
		return Outcome{}, err
	}
	return out, f.Audit.Record(tx, from, audit.AppEntered, audit.ByUser, u.ID, l.Entry.App)
}

// decide returns nil when the user may use the App with that name.
func (f *Flow) decide(tx *store.Tx, name string, u store.User) error {
	app := f.Apps.Named(name)
	if app == nil {
		return ErrStateLost // it was taken out of the configuration meanwhile
	}
	p, err := gate.PersonOf(tx, u)
	if err != nil {
		return err
	}
	return gate.Decide(app, p)
}

// Enter hands a session over to an App, for the browser that asked for it at the
// App's own address, and returns the code that leads there.
func (f *Flow) Enter(ctx context.Context, from audit.From, c session.Current, app string, browserHash []byte) (code string, err error) {
	err = f.DB.Update(ctx, func(tx *store.Tx) error {
		if err := f.decide(tx, app, c.User); err != nil {
			return err
		}
		if code, err = f.Sessions.HandOff(tx, app, c.Session.ID, browserHash); err != nil {
			return err
		}
		return f.Audit.Record(tx, from, audit.AppEntered, audit.ByUser, c.User.ID, app)
	})
	return code, err
}
