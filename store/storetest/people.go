package storetest

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"gatelodge/store"
)

// people are the promises about accounts, groups, invites and applicants.
var people = map[string]func(*testing.T, *store.DB){
	"an upstream identity belongs to one user":                        oneIdentity,
	"an account keeps its tokens, and its refresh token if silent":    accountTokens,
	"of twenty who refresh an account's tokens one may":               refreshOnce,
	"a lost claim stores no tokens":                                   lostRefresh,
	"nobody unlinks somebody else's account":                          unlink,
	"an auth request is taken once, by its browser, for its provider": takeAuthRequest,
	"an outcome is found by its use until it expires":                 loginOutcome,
	"a session's user has their groups":                               sessionGroups,
	"a group's name is taken once, and its members outlive it":        groupLife,
	"an invite is used as often as it may":                            spendInvite,
	"an invite that ended lets nobody in":                             deadInvite,
	"of twenty admins one approves":                                   approveOnce,
	"removing a user removes their accounts and memberships":          removePerson,
	"who may manage the server is in the group of admins":             adminsGroup,
	"people are found by name, address, group and status":             findPeople,
	"who asked since a moment is counted":                             applicantsSince,
	"the newest invite of an address is found":                        inviteOfAddress,
}

func account(u store.User, subject string) store.Account {
	return store.Account{
		ID: store.NewID(Now), UserID: u.ID, Provider: "github", Subject: subject, Type: "oauth", Email: u.Email, CreatedAt: Now,
		Tokens: store.Tokens{Access: "access-1", Refresh: "refresh-1", ID: "id-1", Type: "bearer", Scope: "email", ExpiresAt: Now.Add(time.Hour)},
	}
}

func add(t *testing.T, db *store.DB, a store.Account) {
	t.Helper()
	Update(t, db, func(tx *store.Tx) error { return tx.AddAccount(a) })
}

func find(t *testing.T, db *store.DB, subject string) store.Account {
	t.Helper()
	var a store.Account
	if err := db.View(t.Context(), func(tx *store.Tx) (err error) { a, err = tx.AccountBySubject("github", subject); return err }); err != nil {
		t.Fatal(err)
	}
	return a
}

func oneIdentity(t *testing.T, db *store.DB) {
	mara, eve := User(t, db, "mara@home.example"), User(t, db, "eve@home.example")
	add(t, db, account(mara, "1"))
	want(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.AddAccount(account(eve, "1")) }), store.ErrConflict)
	if got := find(t, db, "1"); got.UserID != mara.ID {
		t.Errorf("it belongs to %s", got.UserID)
	}
	other := account(eve, "1")
	other.Provider = "gitlab"
	add(t, db, other) // another upstream may call another person the same
}

func accountTokens(t *testing.T, db *store.DB) {
	a := account(User(t, db, "mara@home.example"), "1")
	add(t, db, a)
	got := find(t, db, "1")
	if got.Tokens != a.Tokens {
		t.Errorf("got %+v", got.Tokens)
	}
	a.Tokens, a.Email = store.Tokens{Access: "access-2", Type: "bearer"}, "new@home.example"
	Update(t, db, func(tx *store.Tx) error { return tx.UseAccount(a, Now.Add(time.Minute)) })
	got = find(t, db, "1")
	if got.Tokens.Access != "access-2" || got.Tokens.Refresh != "refresh-1" || !got.Tokens.ExpiresAt.IsZero() ||
		got.Email != "new@home.example" || !got.UsedAt.Equal(Now.Add(time.Minute)) {
		t.Errorf("got %+v", got)
	}
}

func refreshOnce(t *testing.T, db *store.DB) {
	a := account(User(t, db, "mara@home.example"), "1")
	add(t, db, a)
	won := race(t, 20, store.ErrNotFound, func(int) error {
		return db.Update(t.Context(), func(tx *store.Tx) error { return tx.ClaimRefresh(a.ID, Now.Add(time.Minute), Now) })
	})
	if won != 1 {
		t.Errorf("%d claimed the refresh", won)
	}
}

func lostRefresh(t *testing.T, db *store.DB) {
	a := account(User(t, db, "mara@home.example"), "1")
	add(t, db, a)
	first, second := Now.Add(time.Minute), Now.Add(3*time.Minute)
	Update(t, db, func(tx *store.Tx) error { return tx.ClaimRefresh(a.ID, first, Now) })
	Update(t, db, func(tx *store.Tx) error { return tx.ClaimRefresh(a.ID, second, first.Add(time.Second)) })
	late := store.Tokens{Access: "late"}
	want(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.FinishRefresh(a.ID, first, late) }), store.ErrNotFound)
	Update(t, db, func(tx *store.Tx) error {
		return tx.FinishRefresh(a.ID, second, store.Tokens{Access: "access-2", Refresh: "refresh-2"})
	})
	if got := find(t, db, "1"); got.Tokens.Access != "access-2" || got.Tokens.Refresh != "refresh-2" || !got.RefreshingTill.IsZero() {
		t.Errorf("got %+v", got)
	}
	third := Now.Add(9 * time.Minute)
	Update(t, db, func(tx *store.Tx) error { return tx.ClaimRefresh(a.ID, third, Now) })
	Update(t, db, func(tx *store.Tx) error { return tx.FreeRefresh(a.ID, third, Now) })
	if got := find(t, db, "1"); got.BrokenAt.IsZero() || got.Tokens.Refresh != "" || got.Tokens.Access != "access-2" {
		t.Errorf("after a refusal: %+v", got)
	}
}

func unlink(t *testing.T, db *store.DB) {
	mara, eve := User(t, db, "mara@home.example"), User(t, db, "eve@home.example")
	a := account(mara, "1")
	add(t, db, a)
	want(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.RemoveAccount(eve.ID, a.ID) }), store.ErrNotFound)
	Update(t, db, func(tx *store.Tx) error { return tx.RemoveAccount(mara.ID, a.ID) })
	want(t, db.View(t.Context(), func(tx *store.Tx) error { _, err := tx.AccountBySubject("github", "1"); return err }), store.ErrNotFound)
}

func takeAuthRequest(t *testing.T, db *store.DB) {
	begin := func(state string) {
		Update(t, db, func(tx *store.Tx) error {
			return tx.AddAuthRequest(store.AuthRequest{StateHash: Hash(state), Provider: "github", BrowserHash: Hash("b"), Payload: []byte("payload"), CreatedAt: Now, ExpiresAt: Now.Add(time.Minute)})
		})
	}
	begin("s")
	end := func(provider, browser string, at time.Time) error {
		return db.Update(t.Context(), func(tx *store.Tx) error {
			j, err := tx.TakeAuthRequest(Hash("s"), provider, Hash(browser), at)
			if err == nil && !bytes.Equal(j.Payload, []byte("payload")) {
				t.Errorf("the payload is %q", j.Payload)
			}
			return err
		})
	}
	want(t, end("gitlab", "b", Now), store.ErrNotFound)
	want(t, end("github", "another", Now), store.ErrNotFound)
	want(t, end("github", "b", Now.Add(time.Minute)), store.ErrNotFound)
	if won := race(t, 20, store.ErrNotFound, func(int) error { return end("github", "b", Now) }); won != 1 {
		t.Errorf("it was taken %d times", won)
	}
}

func loginOutcome(t *testing.T, db *store.DB) {
	found := func(use string, at time.Time) (sealed []byte, err error) {
		err = db.View(t.Context(), func(tx *store.Tx) error {
			sealed, err = tx.LoginOutcomeOf(Hash(use), at)
			return err
		})
		return sealed, err
	}
	for _, sealed := range []string{"first", "second"} {
		Update(t, db, func(tx *store.Tx) error {
			return tx.AddLoginOutcome(store.LoginOutcome{UseHash: Hash("use"), Sealed: []byte(sealed), ExpiresAt: Now.Add(time.Minute)})
		})
		if got, err := found("use", Now); err != nil || string(got) != sealed {
			t.Errorf("%q, %v; want %q", got, err, sealed)
		}
	}
	for _, tt := range []struct {
		use string
		at  time.Time
	}{{"another", Now}, {"use", Now.Add(time.Minute)}} {
		_, err := found(tt.use, tt.at)
		want(t, err, store.ErrNotFound)
	}
	if _, err := db.Sweep(t.Context(), Now.Add(90*time.Second), 100); err != nil {
		t.Fatal(err)
	}
	if _, err := found("use", Now); err != nil {
		t.Errorf("a sweep removed it too early: %v", err)
	}
	if _, err := db.Sweep(t.Context(), Now.Add(3*time.Minute), 100); err != nil {
		t.Fatal(err)
	}
	_, err := found("use", Now)
	want(t, err, store.ErrNotFound)
}

func group(t *testing.T, db *store.DB, name string, members ...store.User) store.Group {
	t.Helper()
	g := store.Group{ID: store.NewID(Now), Name: name, CreatedAt: Now}
	Update(t, db, func(tx *store.Tx) error {
		if err := tx.AddGroup(g); err != nil {
			return err
		}
		for _, u := range members {
			if _, err := tx.JoinGroup(g.ID, u.ID, Now); err != nil {
				return err
			}
		}
		return nil
	})
	return g
}

func sessionGroups(t *testing.T, db *store.DB) {
	mara := User(t, db, "mara@home.example")
	Session(t, db, mara, "a")
	groups := func() []string {
		t.Helper()
		_, u, err := db.SessionByToken(t.Context(), Hash("a"), Now)
		if err != nil {
			t.Fatal(err)
		}
		return u.Groups
	}
	if got := groups(); got != nil {
		t.Errorf("nobody's groups are %q", got)
	}
	ops := group(t, db, "ops", mara)
	group(t, db, "media", mara)
	group(t, db, "others", User(t, db, "eve@home.example"))
	if got := groups(); !slices.Equal(got, []string{"media", "ops"}) {
		t.Errorf("got %q", got)
	}
	Update(t, db, func(tx *store.Tx) error { _, err := tx.LeaveGroup(ops.ID, mara.ID); return err })
	if got := groups(); !slices.Equal(got, []string{"media"}) {
		t.Errorf("after leaving: %q", got)
	}
}

func groupLife(t *testing.T, db *store.DB) {
	mara := User(t, db, "mara@home.example")
	g := group(t, db, "ops", mara)
	want(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.AddGroup(store.Group{ID: "x", Name: "ops", CreatedAt: Now}) }), store.ErrConflict)
	Update(t, db, func(tx *store.Tx) error {
		list, err := tx.Groups()
		if len(list) != 2 || list[1].Members != 1 || list[1].Name != "ops" || list[0].Name != store.Admins || list[0].Members != 0 {
			t.Errorf("got %+v", list)
		}
		again, err2 := tx.JoinGroup(g.ID, mara.ID, Now)
		if again {
			t.Error("joined twice")
		}
		members, err3 := tx.MembersOf(g.Name, "", 100)
		if len(members) != 1 || members[0].ID != mara.ID {
			t.Errorf("members %v", members)
		}
		return errors.Join(err, err2, err3, tx.RemoveGroup("ops"))
	})
	want(t, db.View(t.Context(), func(tx *store.Tx) error { _, err := tx.GroupByName("ops"); return err }), store.ErrNotFound)
	Update(t, db, func(tx *store.Tx) error {
		groups, err := tx.GroupsOf(mara.ID)
		if len(groups) != 0 {
			t.Errorf("left in %q", groups)
		}
		return err
	})
}

func invite(t *testing.T, db *store.DB, token string, uses int, groups ...string) store.Invite {
	t.Helper()
	v := store.Invite{ID: "invite " + token, TokenHash: Hash(token), UsesLeft: uses, CreatedAt: Now, ExpiresAt: Now.Add(time.Hour), Groups: groups}
	Update(t, db, func(tx *store.Tx) error { return tx.AddInvite(v) })
	return v
}

func spend(t *testing.T, db *store.DB, id string, at time.Time) error {
	return db.Update(t.Context(), func(tx *store.Tx) error { _, err := tx.SpendInvite(id, at); return err })
}

func spendInvite(t *testing.T, db *store.DB) {
	group(t, db, "ops")
	group(t, db, "media")
	v := invite(t, db, "a", 3, "ops", "media")
	if won := race(t, 20, store.ErrNotFound, func(int) error { return spend(t, db, v.ID, Now) }); won != 3 {
		t.Errorf("%d came by an invite for three", won)
	}
	Update(t, db, func(tx *store.Tx) error {
		got, err := tx.InviteByToken(Hash("a"))
		if got.UsesLeft != 0 || !slices.Equal(got.Groups, []string{"media", "ops"}) {
			t.Errorf("got %+v", got)
		}
		return err
	})
	want(t, db.Update(t.Context(), func(tx *store.Tx) error {
		return tx.AddInvite(store.Invite{ID: "x", TokenHash: Hash("x"), UsesLeft: 1, CreatedAt: Now, ExpiresAt: Now, Groups: []string{"nobody"}})
	}), store.ErrNotFound)
}

func deadInvite(t *testing.T, db *store.DB) {
	v := invite(t, db, "a", 1)
	want(t, spend(t, db, v.ID, v.ExpiresAt), store.ErrNotFound)
	Update(t, db, func(tx *store.Tx) error { return tx.RevokeInvite(v.ID, Now) })
	want(t, spend(t, db, v.ID, Now), store.ErrNotFound)
	want(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.RevokeInvite(v.ID, Now) }), store.ErrNotFound)
	want(t, spend(t, db, "unknown", Now), store.ErrNotFound)
}

func approveOnce(t *testing.T, db *store.DB) {
	a := store.Applicant{ID: "a", Email: "Ana@home.example", EmailNorm: "ana@home.example", CreatedAt: Now}
	apply := func() (isNew bool) {
		Update(t, db, func(tx *store.Tx) (err error) { isNew, err = tx.AddApplicant(a); return err })
		return isNew
	}
	if !apply() || apply() {
		t.Error("an applicant is new once")
	}
	won := race(t, 20, store.ErrNotFound, func(int) error {
		return db.Update(t.Context(), func(tx *store.Tx) error { _, err := tx.TakeApplicant("ana@home.example"); return err })
	})
	if won != 1 {
		t.Errorf("%d took the applicant", won)
	}
	apply()
	Update(t, db, func(tx *store.Tx) error { return tx.RefuseApplicant("ana@home.example", Now) })
	if apply() {
		t.Error("who was refused is new again")
	}
	Update(t, db, func(tx *store.Tx) error {
		waiting, err := tx.Applicants(10)
		if len(waiting) != 0 {
			t.Errorf("waiting: %+v", waiting)
		}
		return err
	})
}

func removePerson(t *testing.T, db *store.DB) {
	mara := User(t, db, "mara@home.example")
	add(t, db, account(mara, "1"))
	g := group(t, db, "ops", mara)
	Update(t, db, func(tx *store.Tx) error { return tx.RemoveUser(mara.ID) })
	want(t, db.View(t.Context(), func(tx *store.Tx) error { _, err := tx.AccountBySubject("github", "1"); return err }), store.ErrNotFound)
	Update(t, db, func(tx *store.Tx) error {
		members, err := tx.MembersOf(g.Name, "", 100)
		if len(members) != 0 {
			t.Errorf("members %v", members)
		}
		return err
	})
}

func adminsGroup(t *testing.T, db *store.DB) {
	mara := User(t, db, "mara@home.example")
	User(t, db, "eve@home.example")
	Session(t, db, mara, "a")
	group(t, db, "zoo", mara)
	group(t, db, "a", mara)
	for _, admin := range []bool{true, false} {
		want := []string{"a", "zoo"}
		if admin {
			want = []string{"a", store.Admins, "zoo"}
		}
		Update(t, db, func(tx *store.Tx) error { return tx.SetAdmin(mara.ID, admin, Now) })
		_, u, err := db.SessionByToken(t.Context(), Hash("a"), Now)
		if err != nil || !slices.Equal(u.Groups, want) {
			t.Errorf("the session says %q, %v", u.Groups, err)
		}
		Update(t, db, func(tx *store.Tx) error {
			groups, err := tx.GroupsOf(mara.ID)
			if !slices.Equal(groups, want) {
				t.Errorf("the store says %q", groups)
			}
			members, err2 := tx.MembersOf(store.Admins, "", 100)
			open, err3 := tx.OpenAdmins(5)
			if (len(members) == 1) != admin || (len(open) == 1) != admin {
				t.Errorf("admins %v, open %v", members, open)
			}
			return errors.Join(err, err2, err3)
		})
	}
}

func findPeople(t *testing.T, db *store.DB) {
	mara, eve, ana := User(t, db, "mara@home.example"), User(t, db, "eve_x@home.example"), User(t, db, "ana@else.example")
	group(t, db, "media", mara, ana)
	add(t, db, account(eve, "1"))
	Session(t, db, mara, "a")
	Update(t, db, func(tx *store.Tx) error {
		return errors.Join(
			tx.SetName(mara.ID, "Mara Okafor", Now), tx.SetUsername(eve.ID, "Evie", "evie", Now), tx.SetDisabled(ana.ID, Now, Now), tx.SetName(ana.ID, "Ömer Öz", Now),
			tx.VerifyEmail(mara.ID, mara.EmailNorm, Now), tx.SetRemoval(eve.ID, Now.Add(time.Hour), Now),
			tx.AddEmail(store.Email{Norm: "mara@work.example", Email: "mara@work.example", UserID: mara.ID, CreatedAt: Now}),
			tx.SetPassword(store.Password{UserID: mara.ID, Hash: "x", ChangedAt: Now}), tx.SetAdmin(mara.ID, true, Now),
			tx.RememberBrowser(eve.ID, Hash("b"), "", Now.Add(time.Minute)),
		)
	})
	for name, tt := range map[string]struct {
		filter store.PeopleFilter
		want   []string
	}{
		"everybody":               {store.PeopleFilter{}, []string{"ana@else.example", "eve_x@home.example", "mara@home.example"}},
		"after one":               {store.PeopleFilter{After: "ana@else.example"}, []string{"eve_x@home.example", "mara@home.example"}},
		"a part of a name":        {store.PeopleFilter{Search: "OKAF"}, []string{"mara@home.example"}},
		"a name beyond ASCII":     {store.PeopleFilter{Search: "Ömer Ö"}, []string{"ana@else.example"}},
		"a username":              {store.PeopleFilter{Search: "evie"}, []string{"eve_x@home.example"}},
		"another address":         {store.PeopleFilter{Search: "work.example"}, []string{"mara@home.example"}},
		"a group":                 {store.PeopleFilter{Search: "media"}, []string{"ana@else.example", "mara@home.example"}},
		"a sign that means more":  {store.PeopleFilter{Search: "_x@"}, []string{"eve_x@home.example"}},
		"a sign that means all":   {store.PeopleFilter{Search: "%"}, nil},
		"a backslash":             {store.PeopleFilter{Search: `\`}, nil},
		"a quote":                 {store.PeopleFilter{Search: "' OR 1=1 --"}, nil},
		"the active":              {store.PeopleFilter{Status: "active"}, []string{"mara@home.example"}},
		"the disabled":            {store.PeopleFilter{Status: "disabled"}, []string{"ana@else.example"}},
		"the closing":             {store.PeopleFilter{Status: "closing"}, []string{"eve_x@home.example"}},
		"the new":                 {store.PeopleFilter{Status: "new"}, nil},
		"a status there is none":  {store.PeopleFilter{Status: "x"}, nil},
		"a group and its status ": {store.PeopleFilter{Search: "media", Status: "disabled"}, []string{"ana@else.example"}},
	} {
		var got []string
		Update(t, db, func(tx *store.Tx) error {
			list, err := tx.People(tt.filter, 10)
			got = nil
			for _, p := range list {
				got = append(got, p.Email)
			}
			return err
		})
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
	Update(t, db, func(tx *store.Tx) error {
		p, err := tx.PersonByID(mara.ID)
		if !p.Password || !p.SeenAt.Equal(Now) || !slices.Equal(p.Groups, []string{store.Admins, "media"}) || p.Upstreams != nil {
			t.Errorf("got %+v", p)
		}
		q, err2 := tx.PersonByID(eve.ID)
		if q.Password || !q.SeenAt.Equal(Now.Add(time.Minute)) || !slices.Equal(q.Upstreams, []string{"github"}) || q.Status() != "closing" {
			t.Errorf("got %+v", q)
		}
		n, err3 := tx.CountPeople()
		if n != 3 {
			t.Errorf("%d people", n)
		}
		return errors.Join(err, err2, err3)
	})
	want(t, db.View(t.Context(), func(tx *store.Tx) error { _, err := tx.PersonByID("nobody"); return err }), store.ErrNotFound)
}

func applicantsSince(t *testing.T, db *store.DB) {
	for i := range 3 {
		at := Now.Add(time.Duration(i) * time.Hour)
		email := string(rune('a'+i)) + "@home.example"
		Update(t, db, func(tx *store.Tx) error {
			_, err := tx.AddApplicant(store.Applicant{ID: email, Email: email, EmailNorm: email, CreatedAt: at})
			return err
		})
	}
	Update(t, db, func(tx *store.Tx) error {
		n, err := tx.ApplicantsSince(Now)
		if n != 2 {
			t.Errorf("%d asked", n)
		}
		return err
	})
}

func inviteOfAddress(t *testing.T, db *store.DB) {
	for _, id := range []string{"1", "2"} {
		Update(t, db, func(tx *store.Tx) error {
			return tx.AddInvite(store.Invite{ID: id, TokenHash: Hash(id), Email: "a@b.example", EmailNorm: "a@b.example", UsesLeft: 1, CreatedAt: Now, ExpiresAt: Now.Add(time.Hour)})
		})
	}
	Update(t, db, func(tx *store.Tx) error {
		v, err := tx.InviteByEmail("a@b.example", Now)
		if v.ID != "2" {
			t.Errorf("got %+v", v)
		}
		return err
	})
	// Of two, the one that is open.
	Update(t, db, func(tx *store.Tx) error {
		if err := tx.RevokeInvite("2", Now); err != nil {
			return err
		}
		v, err := tx.InviteByEmail("a@b.example", Now)
		if v.ID != "1" {
			t.Errorf("got %+v", v)
		}
		return err
	})
	want(t, db.View(t.Context(), func(tx *store.Tx) error { _, err := tx.InviteByEmail("x@b.example", Now); return err }), store.ErrNotFound)
}
