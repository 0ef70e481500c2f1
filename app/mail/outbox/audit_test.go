package outbox_test

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/mail/outbox"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// What an admin does to mail is in the audit log, from a page or by a command; what
// changed nothing is not.
func TestAnAdminsActionIsRecordedOnceItHappened(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now := time.UnixMilli(1_800_000_000_000)
	o := &outbox.Outbox{DB: db, Audit: audit.New(db, func() time.Time { return now }, slog.New(slog.DiscardHandler)), Now: func() time.Time { return now }, Key: []byte("key")}
	const address = "lee@home.example"
	err = db.Update(t.Context(), func(tx *store.Tx) error {
		return tx.Suppress(store.Suppression{RcptHash: secret.MAC(o.Key, address), Rcpt: address, CreatedAt: now, ExpiresAt: now.Add(time.Hour)})
	})
	if err != nil {
		t.Fatal(err)
	}
	from := audit.Origin{Reference: "GL-7F3K-92QD", AdminID: "sam"}
	events := func() (list []store.Event) {
		err := db.View(t.Context(), func(tx *store.Tx) (err error) {
			list, err = tx.EventsByReference(from.Reference)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	for what, do := range map[string]func() error{
		"hold":   func() error { return o.Hold(t.Context(), from, "none") },
		"cancel": func() error { return o.Cancel(t.Context(), from, "none") },
	} {
		if err := do(); !errors.Is(err, outbox.ErrNotWaiting) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if list := events(); len(list) != 0 {
		t.Errorf("nothing was changed, and this is recorded: %+v", list)
	}
	if err := o.Unsuppress(t.Context(), from, address); err != nil {
		t.Fatal(err)
	}
	if err := o.Unsuppress(t.Context(), from, address); !errors.Is(err, outbox.ErrNotSuppressed) {
		t.Errorf("a second time: %v", err)
	}
	list := events()
	if len(list) != 1 || list[0].Kind != audit.MailChanged || list[0].Actor != audit.ByAdmin || list[0].AdminID != "sam" || list[0].Detail != "unsuppress "+address {
		t.Errorf("recorded: %+v", list)
	}
}
