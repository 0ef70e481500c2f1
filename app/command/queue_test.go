package command_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/config"
	"gatelodge/app/mail/submission"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// queued fills the database of a directory with mail of an app for n people, all at
// one domain, which waits.
func queued(t *testing.T, dir string, n int) {
	t.Helper()
	c := config.Default()
	c.DataDir = filepath.Join(dir, "gatelodge-data")
	a, err := app.Open(t.Context(), &c, app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	credential := store.SubmissionCredential{Name: "nas", Senders: "nas@home.example"}
	password, err := a.Relay.Add(t.Context(), credential)
	if err != nil {
		t.Fatal(err)
	}
	if credential, err = a.Relay.Login(t.Context(), "127.0.0.1", true, "nas", password); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		m := submission.Mail{From: "nas@home.example", To: []string{fmt.Sprintf("u%d@slow.example", i)}, Text: "full"}
		if _, err := a.Relay.Send(t.Context(), credential, m); err != nil {
			t.Fatal(err)
		}
	}
	now := a.Now()
	err = a.DB.Update(t.Context(), func(tx *store.Tx) error {
		hash := secret.MAC(a.DB.Keyring().Derive("recipient hash"), "gone@slow.example")
		if err := tx.Suppress(store.Suppression{RcptHash: hash, Rcpt: "gone@slow.example", Domain: "slow.example", Reason: "550", CreatedAt: now, ExpiresAt: now.Add(time.Hour)}); err != nil {
			return err
		}
		return tx.BackOff("slow.example", "connection refused", 3, now.Add(time.Hour), now.Add(time.Minute), now)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

// A queue is longer than a screen, and its list says so.
func TestTheQueueSaysHowMuchOfItIsShown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	queued(t, dir, 101)
	got := use(t, dir, "mail", "queue")
	if got.code != 0 || !strings.HasSuffix(got.out, "\n\nThese are the first 100 of 101 that wait.\n") || strings.Count(got.out, "@slow.example ") != 100 {
		t.Errorf("got %+v", got)
	}
	if !strings.Contains(got.out, "CLASS ") || strings.Count(got.out, " relayed ") != 100 {
		t.Errorf("the classes are not shown: %+v", got)
	}
	got = use(t, dir, "mail", "queue", "-all")
	if !strings.HasSuffix(got.out, "\n\nThe newest 100; 101 are waiting.\n") {
		t.Errorf("-all: got %+v", got)
	}
	got = use(t, dir, "mail", "queue", "-json")
	var said struct {
		Way struct {
			Name string
			Down bool
		}
		Domains []struct {
			Domain, Reason string
			Until          time.Time
		}
		Waiting  int
		Messages []struct{ Class, To string }
	}
	if err := json.Unmarshal([]byte(got.out), &said); err != nil {
		t.Fatalf("%v: %+v", err, got)
	}
	if said.Waiting != 101 || len(said.Messages) != 100 || said.Messages[0].Class != "relayed" || said.Way.Name != "capture" {
		t.Errorf("-json: %d wait, %d are listed, by %q", said.Waiting, len(said.Messages), said.Way.Name)
	}
	if len(said.Domains) != 1 || said.Domains[0].Domain != "slow.example" || said.Domains[0].Reason != "connection refused" || said.Domains[0].Until.IsZero() {
		t.Errorf("-json: the domains are %+v", said.Domains)
	}
}

// Whatever takes -json answers with it.
func TestChangesAnswerAsJSON(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	queued(t, dir, 1)
	for _, try := range []struct{ args, want string }{
		{"mail suppressed -json -clear Gone@slow.example", `{"address":"gone@slow.example","cleared":true}`},
		{"mail domain -json -forget slow.example", `{"domain":"slow.example","forgotten":true}`},
		{"mail domain -json -forget slow.example", `{"domain":"slow.example","forgotten":false}`},
	} {
		got := use(t, dir, strings.Fields(try.args)...)
		if plain := strings.Join(strings.Fields(got.out), ""); got.code != 0 || plain != try.want {
			t.Errorf("%s: got %+v, want %s", try.args, got, try.want)
		}
	}
}
