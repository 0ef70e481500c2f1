package login

import (
	"context"

	"gatelodge/app/audit"
	"gatelodge/app/factor"
	"gatelodge/app/gate"
	"gatelodge/app/session"
	"gatelodge/store"
)

// finishApp starts the session of an attempt that is for an App alone.
func (f *Flow) finishApp(tx *store.Tx, from audit.Origin, l *Login, u store.User) (Outcome, error) {
	if err := f.decide(tx, l.AppLogin.App, u); err != nil {
		return Outcome{}, err
	}
	_, row, err := f.starter.Start(tx, from, session.Begin{UserID: u.ID, Means: l.means(u.ID, f.Now()), AuthAt: l.authAt()})
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{Session: row, User: u}
	if l.AppLogin.Here {
		out.AppToken, err = f.starter.StartApp(tx, l.AppLogin.App, row.ID)
	} else {
		out.Code, err = f.starter.HandOff(tx, l.AppLogin.App, row.ID, l.AppLogin.Browser)
	}
	if err != nil {
		return Outcome{}, err
	}
	if out.Device, err = f.rememberBrowser(tx, from, l, u, row); err != nil {
		return Outcome{}, err
	}
	return out, f.Audit.Record(tx, from, audit.AppEntered, audit.ByUser, u.ID, l.AppLogin.App)
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

// EnterApp hands a session over to an App, for the browser that asked for it at the
// App's own address. The Code of the outcome leads there. An App may need more than
// the session has proven: then the outcome says what.
func (f *Flow) EnterApp(ctx context.Context, from audit.Origin, c session.Current, app string, browserHash []byte) (out Outcome, err error) {
	err = f.DB.Update(ctx, func(tx *store.Tx) error {
		out = Outcome{User: c.User, Session: c.Session}
		if err := f.decide(tx, app, c.User); err != nil {
			return err
		}
		if out.Need, err = f.required(tx, c.User, app, factor.Read(c.Session.AMR)); err != nil || out.Need != "" {
			return err
		}
		if out.Code, err = f.starter.HandOff(tx, app, c.Session.ID, browserHash); err != nil {
			return err
		}
		return f.Audit.Record(tx, from, audit.AppEntered, audit.ByUser, c.User.ID, app)
	})
	return out, err
}
