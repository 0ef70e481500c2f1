package audit_test

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/factor"
	"gatelodge/app/fault"
)

// Programs that ban addresses and the counters get a word that a change of a sentence
// does not change.
func TestARefusedSignInIsReportedByItsReason(t *testing.T) {
	t.Parallel()
	sentence := fault.New(fault.Invalid, "some.sentence")
	for reason, line := range map[fault.Reason]string{
		fault.Password: "msg=auth-fail ip=203.0.113.7 user=mara@home.example reason=password ref=GL-7F3K-92QD",
		fault.Code:     "msg=auth-fail ip=203.0.113.7 user=mara@home.example reason=code ref=GL-7F3K-92QD",
		fault.Limit:    "msg=auth-fail ip=203.0.113.7 user=mara@home.example reason=limited ref=GL-7F3K-92QD",
		fault.Disabled: "msg=auth-fail ip=203.0.113.7 user=mara@home.example reason=disabled ref=GL-7F3K-92QD",
		fault.Provider: "",
		"":             "",
	} {
		var out bytes.Buffer
		log := audit.New(nil, time.Now, slog.New(slog.NewTextHandler(&out, nil)))
		var events []audit.Event
		log.OnEvent = func(e audit.Event) { events = append(events, e) }
		log.RefuseSignIn(audit.Origin{IP: "203.0.113.7", Reference: "GL-7F3K-92QD"},
			audit.SignInRefusal{Name: "mara@home.example", Means: factor.Password, Fault: sentence.For(reason)})
		if line == "" && out.Len() > 0 || !strings.Contains(out.String(), line) {
			t.Errorf("%q is logged as %q", reason, out.String())
		}
		if len(events) != 1 || events[0].Kind != audit.SignInRefused || !slices.Equal(events[0].Means, factor.List{factor.Password}) {
			t.Errorf("%q makes the events %+v", reason, events)
		}
	}
}

// What an admin does to another user is shown in no zone of the admin's.
func TestAnAdminsZoneIsNotTheUsers(t *testing.T) {
	t.Parallel()
	own := audit.Origin{TimeZone: "Europe/Berlin"}
	admin := audit.Origin{TimeZone: "Europe/Berlin", AdminID: "sam"}
	for _, tt := range []struct {
		from         audit.Origin
		chosen, want string
	}{{own, "", "Europe/Berlin"}, {own, "Asia/Tokyo", "Asia/Tokyo"}, {admin, "", ""}, {admin, "Asia/Tokyo", "Asia/Tokyo"}} {
		if got := tt.from.ZoneFor(tt.chosen); got != tt.want {
			t.Errorf("mail is in the zone %q, want %q", got, tt.want)
		}
	}
}
