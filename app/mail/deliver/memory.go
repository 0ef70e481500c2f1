package deliver

import (
	"context"
	"log/slog"
	"time"

	"gatelodge/store"
)

// Memory is what is remembered of domains across restarts. What cannot be
// written is logged: no mail stays behind for it.
type Memory struct {
	DB  *store.DB
	Now func() time.Time
	Log *slog.Logger
}

// refreshTLS is how old the memory of a domain's TLS may be. Memories of a year
// without any are swept away, so what is seen has to be written down now and then.
const refreshTLS = 14 * 24 * time.Hour

// spokeTLS reports whether a domain has spoken TLS to us before, and whether
// lately. When that cannot be read, it has: mail that waits is better than mail in
// clear.
func (m *Memory) spokeTLS(ctx context.Context, domain string) (ever, lately bool) {
	var d store.MailDomain
	err := m.DB.View(ctx, func(tx *store.Tx) (err error) {
		d, err = tx.MailDomain(domain)
		return err
	})
	if err != nil {
		m.Log.Error("what is known of a mail domain could not be read", "domain", domain, "err", err)
		return true, true
	}
	return !d.TLSSeenAt.IsZero(), m.Now().Sub(d.TLSSeenAt) < refreshTLS
}

func (m *Memory) rememberTLS(ctx context.Context, domain string) {
	err := m.DB.Update(ctx, func(tx *store.Tx) error { return tx.SetTLSSeen(domain, m.Now()) })
	if err != nil {
		m.Log.Error("that a mail domain speaks TLS could not be kept", "domain", domain, "err", err)
	}
}

// count counts how a connection was protected, as RFC 8460 wants to have it
// reported. result is "" for one that went well.
func (m *Memory) count(ctx context.Context, domain, policy, mx, result string) {
	day := m.Now().UTC().Truncate(24 * time.Hour)
	err := m.DB.Update(ctx, func(tx *store.Tx) error { return tx.AddTLSResult(day, domain, policy, mx, result) })
	if err != nil {
		m.Log.Error("how mail was protected could not be counted", "domain", domain, "err", err)
	}
}
