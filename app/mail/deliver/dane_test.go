package deliver

import (
	"testing"

	"gatelodge/app/mail/resolve"
)

// A record that no certificate can fit kept all mail from its domain.
func TestARecordWithACutDigestIsNotUsable(t *testing.T) {
	for _, c := range []struct {
		matching uint8
		length   int
		want     bool
	}{{1, 32, true}, {1, 31, false}, {1, 64, false}, {1, 0, false}, {2, 64, true}, {2, 32, false}, {0, 300, true}, {0, 0, false}, {3, 32, false}} {
		got := usable([]resolve.TLSA{{Usage: endEntity, Selector: 1, Matching: c.matching, Data: make([]byte, c.length)}})
		if (len(got) == 1) != c.want {
			t.Errorf("matching type %d with %d octets: usable is %v, want %v", c.matching, c.length, len(got) == 1, c.want)
		}
	}
}
