package outbox

import (
	"context"
	"strings"

	"gatelodge/app/audit"
	"gatelodge/app/email"
	"gatelodge/app/fault"
	"gatelodge/store"
)

// ErrNoDomain means that a text is not the name of a domain.
var ErrNoDomain = fault.New(fault.Invalid, "email.malformed")

// Domain is what is known of a domain that mail goes to.
type Domain struct {
	store.MailDomain
	TLS []store.TLSResult // newest first
}

// DomainName returns the form in which a domain is known, or ErrNoDomain.
func DomainName(typed string) (string, error) {
	name, ok := email.Domain(typed)
	if !ok || !strings.Contains(name, ".") {
		return "", ErrNoDomain
	}
	return name, nil
}

// Domain returns what is known of a domain.
func (o *Outbox) Domain(ctx context.Context, name string) (d Domain, err error) {
	err = o.DB.View(ctx, func(tx *store.Tx) (err error) {
		if d.MailDomain, err = tx.MailDomain(name); err != nil {
			return err
		}
		d.TLS, err = tx.TLSResults(name, shown)
		return err
	})
	return d, err
}

// ForgetDomain forgets a domain, so that mail to it goes at once and under no
// better protection than a stranger's. It reports whether anything was known.
func (o *Outbox) ForgetDomain(ctx context.Context, from audit.Origin, name string) (was bool, err error) {
	err = o.DB.Update(ctx, func(tx *store.Tx) (err error) {
		if was, err = tx.ForgetMailDomain(name); err != nil || !was {
			return err
		}
		return o.record(tx, from, "forget domain", name)
	})
	o.Queue.Wake()
	return was, err
}

// Waiting returns the domains that mail waits for because their servers failed.
func (o *Outbox) Waiting(ctx context.Context) (list []store.MailDomain, err error) {
	err = o.DB.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.WaitingDomains(o.Now(), shown)
		return err
	})
	return list, err
}
