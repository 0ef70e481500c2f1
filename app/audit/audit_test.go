package audit_test

import (
	"testing"

	"gatelodge/app/audit"
)

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
