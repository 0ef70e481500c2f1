package dkim_test

import (
	"bytes"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	msgauth "github.com/emersion/go-msgauth/dkim"

	"gatelodge/app/mail/dkim"
	"gatelodge/store"
	"gatelodge/store/storetest"
)

const message = "From: Our house <login@home.example>\r\nTo: mara@else.example\r\nSubject: Sign in\r\n" +
	"Date: Wed, 25 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@home.example>\r\n\r\nHello.\r\n"

type clock struct{ now time.Time }

func (c *clock) read() time.Time { return c.now }

func openRing(t *testing.T) (*dkim.Ring, *clock) {
	t.Helper()
	c := &clock{time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)}
	db, err := store.Open(t.Context(), store.Options{Dir: storetest.Dir(t), Now: c.read})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &dkim.Ring{DB: db, Domain: "home.example", Now: c.read}, c
}

func keysOf(t *testing.T, r *dkim.Ring) []dkim.Key {
	t.Helper()
	list, err := r.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func sign(t *testing.T, r *dkim.Ring, message string) string {
	t.Helper()
	b, err := r.Sign(t.Context(), []byte(message))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// verify returns how many signatures hold, looked up in what the ring publishes.
func verify(t *testing.T, r *dkim.Ring, signed string) int {
	t.Helper()
	list, err := msgauth.VerifyWithOptions(bytes.NewReader([]byte(signed)), &msgauth.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		for _, k := range keysOf(t, r) {
			if k.Name() == name {
				return []string{k.Record}, nil
			}
		}
		return nil, errors.New("no such record")
	}})
	if err != nil {
		t.Fatal(err)
	}
	good := 0
	for _, v := range list {
		if v.Err == nil && v.Domain == "home.example" {
			good++
		}
	}
	return good
}

func TestBothSignaturesHold(t *testing.T) {
	r, _ := openRing(t)
	signed := sign(t, r, message)
	if !strings.HasSuffix(signed, message) {
		t.Error("the message itself was changed")
	}
	if n := verify(t, r, signed); n != 2 {
		t.Errorf("%d signatures hold, want 2:\n%s", n, signed)
	}
	if first, _, _ := strings.Cut(signed, "From: "); !strings.Contains(first[:strings.Index(first[1:], "DKIM-Signature")], "rsa-sha256") {
		t.Errorf("the RSA signature is not on top:\n%s", first)
	}
}

func TestAChangedMessageBreaksTheSignatures(t *testing.T) {
	r, _ := openRing(t)
	signed := sign(t, r, message)
	for name, change := range map[string][2]string{
		"another body":          {"Hello.", "Hello!"},
		"another subject":       {"Subject: Sign in", "Subject: Sign out"},
		"a second From on top":  {"From: Our", "From: Eve <eve@home.example>\r\nFrom: Our"},
		"a second Subject":      {"Subject: ", "Subject: Win\r\nSubject: "},
		"a Reply-To that's new": {"Subject: ", "Reply-To: eve@evil.example\r\nSubject: "},
		"a Cc that is new":      {"Subject: ", "Cc: eve@evil.example\r\nSubject: "},
	} {
		if n := verify(t, r, strings.Replace(signed, change[0], change[1], 1)); n != 0 {
			t.Errorf("%s: %d signatures hold", name, n)
		}
	}
}

// A name in another charset hid the author from the one of two parsers that
// decided about the signature.
func TestANameInAnyCharsetIsSigned(t *testing.T) {
	r, _ := openRing(t)
	for _, name := range []string{
		"=?windows-1252?Q?M=FCller?=", "=?iso-8859-15?Q?100_=A4?=", "=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=", "=?koi8-r?B?8NLJ18XU?=", "=?x-unheard-of?Q?M=FCller?=",
		"Müller", "M\xfcller", "UPS: main", "[home]",
	} {
		signed := sign(t, r, strings.Replace(message, "Our house", name, 1))
		if n := verify(t, r, signed); n != 2 {
			t.Errorf("%s: %d signatures hold, want 2", name, n)
		}
	}
}

// The library copies a field for each of its folds: 600 MB for these.
func TestManyFoldsAreSignedInLinearTime(t *testing.T) {
	r, _ := openRing(t)
	keysOf(t, r)
	long := strings.Replace(message, "Subject: Sign in\r\n", "Subject: x\r\n"+strings.Repeat(" y\r\n", 20_000), 1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	signed := sign(t, r, long)
	runtime.ReadMemStats(&after)
	if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 50 {
		t.Errorf("%d MB to sign a mail of %d KB", mb, len(long)>>10)
	}
	if n := verify(t, r, signed); n != 2 {
		t.Errorf("%d signatures hold, want 2", n)
	}
}

func TestOnlyMailOfOurDomainIsSigned(t *testing.T) {
	r, _ := openRing(t)
	for name, from := range map[string]string{
		"another domain": "From: a@else.example\r\n", "a subdomain": "From: a@x.home.example\r\n", "two authors": "From: a@home.example, b@home.example\r\n",
		"two From": "From: a@home.example\r\nFrom: b@home.example\r\n", "none": "Subject: x\r\n", "no address": "From: home.example\r\n",
	} {
		if got := sign(t, r, from+"\r\nbody\r\n"); got != from+"\r\nbody\r\n" {
			t.Errorf("%s: was signed:\n%s", name, got)
		}
	}
}

func TestARotationLeavesNoMailBehind(t *testing.T) {
	r, c := openRing(t)
	before := sign(t, r, message)
	if err := r.Switch(t.Context()); !errors.Is(err, dkim.ErrNoPending) {
		t.Errorf("a switch without a next pair: got %v", err)
	}
	c.now = c.now.Add(time.Hour)
	if err := r.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Prepare(t.Context()); !errors.Is(err, dkim.ErrPending) {
		t.Errorf("a second next pair: got %v", err)
	}
	if strings.Contains(sign(t, r, message), "202611b") {
		t.Error("a key signs that nobody can know yet")
	}
	c.now = c.now.Add(48 * time.Hour)
	if err := r.Switch(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := sign(t, r, message)
	if !strings.Contains(after, "s=r202611b") || !strings.Contains(after, "s=e202611b") || strings.Contains(after, "s=r202611;") {
		t.Errorf("the new pair does not sign alone:\n%s", after)
	}
	for name, signed := range map[string]string{"before": before, "after": after} {
		if n := verify(t, r, signed); n != 2 {
			t.Errorf("mail signed %s the switch: %d signatures hold, want 2", name, n)
		}
	}
	states := func() (list []dkim.State) {
		for _, k := range keysOf(t, r) {
			list = append(list, k.State)
		}
		return list
	}
	if got := states(); !slices.Equal(got, []dkim.State{dkim.Retired, dkim.Retired, dkim.Signing, dkim.Signing}) {
		t.Errorf("got %v", got)
	}
	c.now = c.now.Add(8 * 24 * time.Hour)
	if got := states(); !slices.Equal(got, []dkim.State{dkim.Old, dkim.Old, dkim.Signing, dkim.Signing}) {
		t.Errorf("eight days later: got %v", got)
	}
}

func TestKeysAreTheSameAfterARestart(t *testing.T) {
	r, _ := openRing(t)
	first := keysOf(t, r)
	again := keysOf(t, &dkim.Ring{DB: r.DB, Domain: r.Domain, Now: r.Now})
	if len(first) != 2 || len(again) != 2 || first[0].Record != again[0].Record || first[1].Record != again[1].Record {
		t.Errorf("got %v, then %v", first, again)
	}
	if other := keysOf(t, &dkim.Ring{DB: r.DB, Domain: "else.example", Now: r.Now}); other[0].Record == first[0].Record {
		t.Error("two domains share a key")
	}
}
