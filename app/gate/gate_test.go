package gate_test

import (
	"errors"
	"testing"
	"time"

	"gatelodge/app/apps"
	"gatelodge/app/config"
	"gatelodge/app/gate"
	"gatelodge/store"
)

var then = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestWhoMayUseAnApp(t *testing.T) {
	mara := store.User{ID: "u1", Email: "Mara@Home.example", EmailNorm: "mara@home.example", EmailVerifiedAt: then, Username: "mara"}
	imported := mara
	imported.EmailVerifiedAt = time.Time{}
	added := imported
	added.AddedByAdmin = true
	closed, leaving := mara, mara
	closed.DisabledAt, leaving.RemovalAt = then, then
	like := func(id string) store.User { return store.User{ID: id, EmailNorm: store.NoEmail(id)} }
	renamed := store.User{ID: "u2", Email: "eve@evil.example", EmailNorm: "eve@evil.example", EmailVerifiedAt: then, Username: "u1", Name: "mara@home.example"}

	tests := map[string]struct {
		allow  []string
		user   store.User
		groups []string
		want   error
	}{
		"nobody":                                {nil, mara, nil, gate.ErrNotAllowed},
		"everyone":                              {[]string{"everyone"}, imported, nil, nil},
		"a group":                               {[]string{"group:ops"}, imported, []string{"media", "ops"}, nil},
		"another group":                         {[]string{"group:ops"}, mara, []string{"op", "opsy"}, gate.ErrNotAllowed},
		"a group named everyone":                {[]string{"group:everyone"}, mara, nil, gate.ErrNotAllowed},
		"an address":                            {[]string{"user:MARA@home.example"}, mara, nil, nil},
		"an address that nobody confirmed":      {[]string{"user:mara@home.example"}, imported, nil, gate.ErrNotAllowed},
		"an address that an admin added":        {[]string{"user:mara@home.example"}, added, nil, nil},
		"an id":                                 {[]string{"user:u1"}, mara, nil, nil},
		"an id, address not confirmed":          {[]string{"user:u1"}, imported, nil, nil},
		"an id that is an allowed address":      {[]string{"user:mara@home.example"}, like("mara@home.example"), nil, gate.ErrNotAllowed},
		"the same in capitals":                  {[]string{"user:Mara@Home.example"}, like("Mara@Home.example"), nil, gate.ErrNotAllowed},
		"an id that is an allowed group":        {[]string{"group:ops"}, like("ops"), nil, gate.ErrNotAllowed},
		"an id that is a whole entry":           {[]string{"user:u1"}, like("user:u1"), nil, gate.ErrNotAllowed},
		"an id that is called everyone":         {[]string{"user:u1"}, like("everyone"), nil, gate.ErrNotAllowed},
		"a username that is an allowed id":      {[]string{"user:u1"}, renamed, nil, gate.ErrNotAllowed},
		"a name that is an allowed address":     {[]string{"user:mara@home.example"}, renamed, nil, gate.ErrNotAllowed},
		"a username instead of an id":           {[]string{"user:mara"}, mara, nil, gate.ErrNotAllowed},
		"a group that is an allowed user":       {[]string{"user:ops"}, mara, []string{"ops"}, gate.ErrNotAllowed},
		"a suspended account":                   {[]string{"everyone"}, closed, nil, gate.ErrSuspended},
		"an account that its owner closed":      {[]string{"everyone"}, leaving, nil, gate.ErrClosing},
		"no address and an empty address entry": {[]string{"user:@"}, like("u3"), nil, gate.ErrNotAllowed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			list, err := apps.New([]config.App{{Name: "Wiki", Allow: tt.allow}})
			if err != nil {
				t.Fatal(err)
			}
			if got := gate.Decide(list.Snapshot().ByID("wiki"), gate.Person{User: tt.user, Groups: tt.groups}); !errors.Is(got, tt.want) || tt.want == nil && got != nil {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
