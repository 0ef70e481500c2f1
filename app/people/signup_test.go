package people_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/email"
	"gatelodge/app/limit"
	"gatelodge/app/people"
	"gatelodge/store"
	"gatelodge/store/storetest"
)

func now() time.Time { return storetest.Now }

// users returns the service on a new store, with a door.
func users(t *testing.T, mode string, domains ...string) *people.Users {
	t.Helper()
	db := storetest.Open(t)
	return &people.Users{DB: db, Audit: audit.New(db, now, nil), Limits: limit.New(now), Now: now, Policy: people.NewSignupPolicy(mode, domains)}
}

// A domain is compared whole, however it is written.
func TestADomainLetsInNeitherSubdomainsNorLookAlikes(t *testing.T) {
	door := people.NewSignupPolicy(people.ByDomain, []string{"Home.Example", "bücher.example", "xn--mnchen-3ya.example."})
	tests := map[string]struct {
		email string
		want  people.Decision
	}{
		"the domain":                     {"mara@home.example", people.Allowed},
		"in capitals":                    {"mara@HOME.EXAMPLE", people.Allowed},
		"with a final dot":               {"mara@home.example.", people.Allowed},
		"in its own script":              {"mara@bücher.example", people.Allowed},
		"in ASCII":                       {"mara@xn--bcher-kva.example", people.Allowed},
		"named in ASCII, typed in its":   {"mara@münchen.example", people.Allowed},
		"capital umlauts":                {"mara@BÜCHER.example", people.Allowed},
		"a fullwidth dot":                {"mara@home．example", people.Allowed},
		"a subdomain":                    {"mara@evil.home.example", people.Denied},
		"a domain that ends alike":       {"mara@evilhome.example", people.Denied},
		"the parent":                     {"mara@example", people.Denied},
		"the domain as a subdomain":      {"mara@home.example.evil.example", people.Denied},
		"the domain in the local part":   {"home.example@evil.example", people.Denied},
		"a look-alike letter":            {"mara@hоme.example", people.Denied}, // a Cyrillic о
		"without the umlaut":             {"mara@bucher.example", people.Denied},
		"an at sign that means too much": {"mara@evil.example@home.example", people.Denied},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			address, err := email.Normal(tt.email)
			if err != nil {
				if tt.want == people.Allowed {
					t.Fatal(err)
				}
				return // refused before
			}
			if got := door.Decide(address); got != tt.want {
				t.Errorf("%s as %s: got %d, want %d", tt.email, address, got, tt.want)
			}
		})
	}
	for _, none := range []string{"", "home.example", "@"} {
		if door.Decide(none) != people.Denied {
			t.Errorf("%q is let in", none)
		}
	}
}

func TestEachModeAnswersAsItSays(t *testing.T) {
	for mode, want := range map[string]people.Decision{
		people.Closed: people.Denied, people.ByInvite: people.Denied, people.ByDomain: people.Denied,
		people.ByApproval: people.NeedsApproval, people.Open: people.Allowed, "": people.Denied, "OPEN": people.Denied,
	} {
		if got := people.NewSignupPolicy(mode, nil).Decide("mara@home.example"); got != want {
			t.Errorf("%q: got %d, want %d", mode, got, want)
		}
	}
}

func addInvite(t *testing.T, s *people.Users, v store.Invite) store.Invite {
	t.Helper()
	v.ID, v.CreatedAt, v.ExpiresAt = store.NewID(now()), now(), now().Add(time.Hour)
	v.TokenHash = storetest.Hash(v.ID)
	storetest.Update(t, s.DB, func(tx *store.Tx) error { return tx.AddInvite(v) })
	return v
}

func come(t *testing.T, s *people.Users, st people.Registration) (store.User, error) {
	t.Helper()
	var arrived people.Registered
	err := s.DB.Update(t.Context(), func(tx *store.Tx) (err error) {
		arrived, err = s.Register(tx, audit.Origin{IP: "192.0.2.1"}, st)
		return err
	})
	return arrived.User, err
}

// Of a crowd with one link, as many come as it is for.
func TestAnInviteForThreeLetsInThree(t *testing.T) {
	s := users(t, people.Closed)
	if _, err := s.AddGroup(t.Context(), audit.Origin{}, "media"); err != nil {
		t.Fatal(err)
	}
	v := addInvite(t, s, store.Invite{UsesLeft: 3, Groups: []string{"media"}})
	var in atomic.Int32
	var crowd sync.WaitGroup
	for i := range 12 {
		crowd.Go(func() {
			_, err := come(t, s, people.Registration{Email: string(rune('a'+i)) + "@home.example", Invite: v.ID})
			switch {
			case err == nil:
				in.Add(1)
			case !errors.Is(err, people.ErrInviteUsed):
				t.Error(err)
			}
		})
	}
	crowd.Wait()
	if in.Load() != 3 {
		t.Errorf("%d came", in.Load())
	}
	var members []store.User
	err := s.Members(t.Context(), "media", func(u store.User) error {
		members = append(members, u)
		return nil
	})
	if err != nil || len(members) != 3 {
		t.Errorf("%d are in the group, %v", len(members), err)
	}
}

// Whoever shows a mailed invite has the address it went to, whatever an upstream
// calls them.
func TestAMailedInviteIsForItsAddressAlone(t *testing.T) {
	s := users(t, people.Closed)
	v := addInvite(t, s, store.Invite{Email: "Mara@home.example", EmailNorm: "mara@home.example", UsesLeft: 1})
	u, err := come(t, s, people.Registration{
		Email: "eve@else.example", Invite: v.ID,
		Account: &store.Account{ID: store.NewID(now()), Provider: "github", Subject: "1", Type: "oauth", CreatedAt: now()},
	})
	if err != nil || u.Email != "Mara@home.example" || u.EmailVerifiedAt.IsZero() {
		t.Errorf("got %+v, %v", u, err)
	}
	expected := false
	other := addInvite(t, s, store.Invite{Email: "jin@home.example", EmailNorm: "jin@home.example", UsesLeft: 1})
	storetest.Update(t, s.DB, func(tx *store.Tx) (err error) {
		expected, err = s.AddressMayRegister(tx, "eve@else.example", other.ID)
		return err
	})
	if expected {
		t.Error("another address is written to")
	}
}

func TestAnInviteThatEndedSaysHow(t *testing.T) {
	s := users(t, people.Closed)
	used := addInvite(t, s, store.Invite{UsesLeft: 1})
	if _, err := come(t, s, people.Registration{Email: "a@home.example", Invite: used.ID}); err != nil {
		t.Fatal(err)
	}
	revoked := addInvite(t, s, store.Invite{UsesLeft: 1})
	storetest.Update(t, s.DB, func(tx *store.Tx) error { return tx.RevokeInvite(revoked.ID, now()) })
	expired := addInvite(t, s, store.Invite{UsesLeft: 1})
	s.Now = func() time.Time { return now().Add(time.Hour) }
	for id, want := range map[string]error{
		used.ID: people.ErrInviteUsed, revoked.ID: people.ErrInviteRevoked, expired.ID: people.ErrInviteExpired, "none": people.ErrInviteUnknown,
	} {
		if _, err := come(t, s, people.Registration{Email: "b@home.example", Invite: id}); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}

func admin(t *testing.T, s *people.Users, email string) store.User {
	t.Helper()
	u, err := s.Add(t.Context(), audit.Origin{}, email, "", true)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestTheLastAdminIsNeitherDisabledNorRemovedNorUngrouped(t *testing.T) {
	s := users(t, people.Closed)
	sam := admin(t, s, "sam@home.example")
	closed := admin(t, s, "closed@home.example")
	storetest.Update(t, s.DB, func(tx *store.Tx) error { return tx.SetRemoval(closed.ID, now().Add(time.Hour), now()) })
	out := admin(t, s, "out@home.example")
	if err := s.Disable(t.Context(), audit.Origin{}, out); err != nil {
		t.Fatal(err)
	}
	stale := sam
	stale.Admin = false // as read before they became one
	for name, try := range map[string]func() error{
		"disabled":             func() error { return s.Disable(t.Context(), audit.Origin{}, sam) },
		"removed":              func() error { return s.Remove(t.Context(), audit.Origin{}, sam) },
		"removed as stale":     func() error { return s.Remove(t.Context(), audit.Origin{}, stale) },
		"ungrouped":            func() error { _, err := s.Leave(t.Context(), audit.Origin{}, store.Admins, sam); return err },
		"ungrouped with other": func() error { _, err := s.Leave(t.Context(), audit.Origin{}, store.Admins, out, sam); return err },
	} {
		if err := try(); !errors.Is(err, people.ErrLastAdmin) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	jin := admin(t, s, "jin@home.example")
	if _, err := s.Leave(t.Context(), audit.Origin{}, store.Admins, sam); err != nil {
		t.Error(err)
	}
	if err := s.Remove(t.Context(), audit.Origin{}, jin); !errors.Is(err, people.ErrLastAdmin) {
		t.Errorf("the next last one: %v", err)
	}
}

// Two admins who close one another out: one succeeds.
func TestTwoAdminsCannotDisableOneAnother(t *testing.T) {
	s := users(t, people.Closed)
	a, b := admin(t, s, "a@home.example"), admin(t, s, "b@home.example")
	var done atomic.Int32
	var both sync.WaitGroup
	for _, u := range []store.User{a, b} {
		both.Go(func() {
			switch err := s.Disable(t.Context(), audit.Origin{}, u); {
			case err == nil:
				done.Add(1)
			case !errors.Is(err, people.ErrLastAdmin):
				t.Error(err)
			}
		})
	}
	both.Wait()
	if done.Load() != 1 {
		t.Errorf("%d were disabled", done.Load())
	}
}

// A mailed invite that was used a moment ago proves nothing more: it makes no account
// without address and groups, and no request that waits for an admin.
func TestAMailedInviteShownTwiceMakesOneAccount(t *testing.T) {
	for _, mode := range []string{people.Open, people.ByApproval, people.ByInvite, people.Closed} {
		t.Run(mode, func(t *testing.T) {
			s := users(t, mode)
			v := store.Invite{
				ID: "v", TokenHash: storetest.Hash("v"), UsesLeft: 1, Email: "mara@home.example", EmailNorm: "mara@home.example",
				CreatedAt: storetest.Now, ExpiresAt: storetest.Now.Add(time.Hour),
			}
			come := func() (arrived people.Registered, err error) {
				err = s.DB.Update(t.Context(), func(tx *store.Tx) error {
					arrived, err = s.Register(tx, audit.Origin{}, people.Registration{Name: "Mara", Invite: v.ID})
					if errors.Is(err, people.ErrPending) {
						return nil // they are kept
					}
					return err
				})
				return arrived, err
			}
			storetest.Update(t, s.DB, func(tx *store.Tx) error { return tx.AddInvite(v) })
			if arrived, err := come(); err != nil || arrived.User.EmailNorm != v.EmailNorm {
				t.Fatalf("the first: %+v, %v", arrived, err)
			}
			if arrived, err := come(); !errors.Is(err, people.ErrInviteUsed) {
				t.Errorf("the second: %+v, %v", arrived, err)
			}
			storetest.Update(t, s.DB, func(tx *store.Tx) error {
				n, err := tx.CountPeople()
				waiting, failed := tx.Applicants(10)
				if n != 1 || len(waiting) != 0 {
					t.Errorf("%d accounts, and %d wait", n, len(waiting))
				}
				return errors.Join(err, failed)
			})
		})
	}
}
