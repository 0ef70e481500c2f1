package move

import (
	"testing"
	"time"
	"unicode/utf8"

	"gatelodge/app/people"
	"gatelodge/store"
)

func TestTimesOfEveryAdapter(t *testing.T) {
	want := time.Date(2025, 3, 1, 10, 0, 0, 0, time.UTC)
	for name, v := range map[string]any{
		"milliseconds": int64(1740823200000), "seconds": int64(1740823200), "a number with a point": 1740823200000.0,
		"digits": "1740823200000", "bytes": []byte("1740823200"), "Prisma": "2025-03-01T10:00:00.000+00:00", "JSON": "2025-03-01T10:00:00Z",
		"SQLite": "2025-03-01 10:00:00", "PostgreSQL": "2025-03-01 11:00:00+01", "with minutes": "2025-03-01 15:30:00+05:30", "no zone": "2025-03-01T10:00:00",
		"JavaScript": "Sat Mar 01 2025 11:00:00 GMT+0100 (Central European Standard Time)", "a time": want.In(time.FixedZone("", 3600)),
		"Sequelize": "2025-03-01 10:00:00.000 +00:00", "Sequelize elsewhere": "2025-03-01 11:00:00.000 +01:00", "UTC in words": "2025-03-01 10:00:00.000 UTC",
		"zone without a colon": "2025-03-01 10:00:00+0000", "the same, west": "2025-03-01T04:30:00.000-0530", "Go": "2025-03-01 10:00:00 +0000 UTC",
		"GMT": "2025-03-01 10:00:00 GMT", "small z": "2025-03-01T10:00:00z", "Z after a blank": "2025-03-01 10:00:00 Z", "comma": "2025-03-01 10:00:00,000",
		"seconds as text": "1740823200", "seconds with a fraction": "1740823200.000", "a number in quotes": `"1740823200000"`, "JSON in quotes": `"2025-03-01T10:00:00.000Z"`,
		"microseconds": int64(1740823200000000), "toUTCString": "Sat, 01 Mar 2025 10:00:00 GMT", "without seconds": "2025-03-01 10:00",
		"minutes and a zone": "2025-03-01T11:00+01:00", "basic": "20250301T100000Z", "date": "Sat Mar  1 10:00:00 2025", "numeric zone by name": "2025-03-01 12:00:00 UTC+02:00",
	} {
		if got, err := timeOf(v); err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	for name, v := range map[string]any{"NULL": nil, "nothing": "", "blanks": "  "} {
		if got, err := timeOf(v); err != nil || !got.IsZero() {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	for name, v := range map[string]any{
		"a word": "yesterday", "a truth": true, "before 1970": int64(-1), "the far future": int64(1) << 62, "infinity": "Inf", "no number": "NaN",
		"the year 10000":                     "10000-01-01T00:00:00Z",
		"a zone that several countries have": "2025-03-01 10:00:00 CST", "day and month that may be either": "03/01/2025, 10:00:00 AM", "PostgreSQL's infinity": "infinity",
	} {
		if got, err := timeOf(v); err == nil {
			t.Errorf("%s is taken for %v", name, got)
		}
	}
}

func FuzzTime(f *testing.F) {
	for _, s := range []string{"1740823200000", "2025-03-01T10:00:00.000+00:00", "2025-03-01 11:00:00+01", "Sat Mar 01 2025 11:00:00 GMT+0100 (X)", "-1e300", ""} {
		f.Add(s, int64(0))
	}
	f.Add("", int64(fromMs))
	f.Fuzz(func(t *testing.T, s string, n int64) {
		for _, v := range []any{s, []byte(s), n, float64(n)} {
			got, err := timeOf(v)
			if err != nil {
				if !got.IsZero() {
					t.Errorf("%v is no time, and %v", v, got)
				}
				continue
			}
			// What is kept as milliseconds has to come back.
			if !got.IsZero() && (!time.UnixMilli(got.UnixMilli()).Equal(got) || got.Year() < 1970 || got.Year() > 9999) {
				t.Errorf("%v is %v", v, got)
			}
		}
	})
}

// FuzzRow holds the people that any row makes to what the store and the pages
// can bear.
func FuzzRow(f *testing.F) {
	f.Add("1", "mara@home.example", "Mara", "2025-03-01", "https://img.example/a.png", "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", "AQIDBA==", "pQECAyYgASFYIA==", "7a4e596f-74d5-4e06-b419-1af3fc6cb901")
	f.Add("", "", "\xff\u202e", "x", "javascript:1", "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY", "!", "!", "short")
	f.Add("a\x00", "a@b@c", "", "-1", "https://", "$argon2id$v=19$m=,t=,p=$$", "", "", "")
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, id, email, name, when, picture, hash, credential, key, token string) {
		j := &judge{now: now, passwords: "password", app: "Wiki", rolling: time.Hour, max: 2 * time.Hour}
		var r Report
		p, ok := j.user(&r, record{"id": id, "email": email, "name": name, "emailverified": when, "image": picture, "createdat": when})
		if !ok {
			return
		}
		j.password(&r, &p, record{"password": hash})
		j.account(&r, &p, record{"type": name, "provider": email, "provideraccountid": id, "expiresat": when})
		j.passkey(&r, &p, record{"credentialid": credential, "credentialpublickey": key, "counter": when, "transports": name})
		j.session(&r, &p, record{"sessiontoken": token, "expires": when})
		u := p.user
		if u.ID != id || utf8.RuneCountInString(u.Name) > people.MaxName || !utf8.ValidString(u.Name+u.Email+u.EmailNorm+u.Image) || len(u.Image) > maxImage*3 {
			t.Errorf("the user is %+v", u)
		}
		if u.CreatedAt.After(now) || u.EmailVerifiedAt.After(now) {
			t.Errorf("the user comes from the future: %+v", u)
		}
		if !u.HasEmail() && u.EmailNorm != store.NoEmail(id) {
			t.Errorf("a user without an address is compared as %q", u.EmailNorm)
		}
		for _, s := range p.sessions {
			if len(s.tokenHash) != 32 || s.row.ExpiresAt.After(now.Add(time.Hour)) || !s.row.ExpiresAt.After(now) || s.row.AuthAt.After(now) {
				t.Errorf("the session is %+v", s)
			}
		}
		for _, k := range p.passkeys {
			if len(k.CredentialID) == 0 || len(k.PublicKey) == 0 || k.SignCount < 0 {
				t.Errorf("the passkey is %+v", k)
			}
		}
	})
}

func TestWhetherAnAddressWasVerified(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	then := time.Date(2024, 2, 3, 4, 5, 6, 0, time.UTC)
	j := &judge{now: now}
	for name, tt := range map[string]struct {
		value any
		want  time.Time
	}{
		"no value": {nil, time.Time{}}, "false": {false, time.Time{}}, "a false in SQLite": {int64(0), time.Time{}}, "a false as text": {"0", time.Time{}},
		"true": {true, now}, "a true in SQLite": {int64(1), now}, "a true as text": {"true", now},
		"a moment": {then, then}, "in milliseconds": {then.UnixMilli(), then}, "in seconds": {then.Unix(), then},
		"no moment of this program": {int64(1000000), time.Time{}}, "no time": {"soon", time.Time{}},
	} {
		if got, _ := j.verified(tt.value); !got.Equal(tt.want) {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

func TestHashesThatCanBeCheckedHere(t *testing.T) {
	const salted = "$c2FsdHNhbHRzYWx0$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
	const bcrypt = "N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"
	for hash, good := range map[string]bool{
		"$2a$10$" + bcrypt: true, "$2b$12$" + bcrypt: true, "$2y$14$" + bcrypt: true, "$argon2id$v=19$m=19456,t=2,p=1" + salted: true,
		"$2b$15$" + bcrypt: false, "$2b$xx$" + bcrypt: false, "$2x$10$" + bcrypt: false, "$2b$10$" + bcrypt[1:]: false,
		"$argon2id$v=19$m=4194304,t=2,p=1" + salted: false, "$argon2id$v=19$m=19456,t=1000,p=1" + salted: false,
		"$argon2id$v=19$m=4,t=2,p=1" + salted: false, "$argon2id$v=16$m=19456,t=2,p=1" + salted: false, "$argon2id$v=19$m=19456,t=2,p=1$$": false,
		"$argon2i$v=19$m=19456,t=2,p=1" + salted: false, "5f4dcc3b5aa765d61d8327deb882cf99": false, "sesame": false,
	} {
		if why := hashWrong(hash); (why == "") != good {
			t.Errorf("%s: %q, want good: %v", hash, why, good)
		}
	}
}
