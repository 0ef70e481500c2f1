package login

import (
	"context"

	"gatelodge/app/apps"
	"gatelodge/app/audit"
	"gatelodge/app/factor"
	"gatelodge/app/gate"
	"gatelodge/app/session"
	"gatelodge/store"
)

// finishApp starts the session of an attempt that is for an App alone.
func (f *Flow) finishApp(tx *store.Tx, from audit.Origin, l *Login, u store.User) (Outcome, error) {
	app, err := f.decide(tx, l.AppLogin.App, u)
	if err != nil {
		return Outcome{}, err
	}
	_, row, err := f.starter.Start(tx, from, session.Begin{UserID: u.ID, Means: l.means(u.ID, f.Now()), AuthAt: l.authAt()})
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{Session: row, User: u}
	if l.AppLogin.Here {
		out.AppToken, err = f.starter.StartApp(tx, app.ID, row.ID)
	} else {
		out.Code, err = f.starter.HandOff(tx, app.ID, row.ID, l.AppLogin.Browser)
	}
	if err != nil {
		return Outcome{}, err
	}
	if out.Device, err = f.rememberBrowser(tx, from, l, u, row); err != nil {
		return Outcome{}, err
	}
	return out, f.Audit.Record(tx, from, audit.AppEntered, audit.ByUser, u.ID, app.Name)
}

// decide returns the App with that id when the user may use it.
func (f *Flow) decide(tx *store.Tx, id string, u store.User) (*apps.App, error) {
	app := f.Apps.Snapshot().ByID(id)
	if app == nil {
		return nil, ErrStateLost // it was removed from the configuration meanwhile
	}
	p, err := gate.PersonOf(tx, u)
	if err != nil {
		return nil, err
	}
	return app, gate.Decide(app, p)
}

// EnterApp hands a session over to an App, for the browser that asked for it at the
// App's own address. The Code of the outcome leads there. An App may need more than
// the session has proven: then the outcome says what.
func (f *Flow) EnterApp(ctx context.Context, from audit.Origin, c session.Current, appID string, browserHash []byte) (out Outcome, err error) {
	err = f.DB.Update(ctx, func(tx *store.Tx) error {
		out = Outcome{User: c.User, Session: c.Session}
		app, err := f.decide(tx, appID, c.User)
		if err != nil {
			return err
		}
		if out.Need, err = f.required(tx, c.User, app.ID, factor.Read(c.Session.AMR)); err != nil || out.Need != "" {
			return err
		}
		if out.Code, err = f.starter.HandOff(tx, app.ID, c.Session.ID, browserHash); err != nil {
			return err
		}
		return f.Audit.Record(tx, from, audit.AppEntered, audit.ByUser, c.User.ID, app.Name)
	})
	return out, err
}
