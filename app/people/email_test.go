package people_test

import (
	"testing"

	"gatelodge/app/people"
	"gatelodge/store"
)

func TestMailAddressKeepsTheOwnersLocalPart(t *testing.T) {
	u := store.User{Email: "Mara.O@Bücher.example", EmailNorm: "mara.o@xn--bcher-kva.example"}
	if got := people.MailAddress(u); got != "Mara.O@xn--bcher-kva.example" {
		t.Errorf("got %q", got)
	}
}
