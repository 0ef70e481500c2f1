package check_test

import (
	"slices"
	"strings"
	"testing"

	"gatelodge/app/mail/check"
)

// record returns the one proposed record of which want is true.
func (w *world) record(want func(check.Record) bool) check.Record {
	w.t.Helper()
	w.c.Resolver.Forget()
	records, err := w.c.Records(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	i := slices.IndexFunc(records, want)
	if i < 0 {
		w.t.Fatalf("no such record in %v", records)
	}
	return records[i]
}

func isSPF(r check.Record) bool { return strings.HasPrefix(r.Value, "v=spf1") }

// A proposed SPF record passes, whatever is published.
func TestProposedSPFPasses(t *testing.T) {
	t.Parallel()
	if newWorld(t).ours == "" {
		t.Skip("this machine has no network, so no address to publish")
	}
	tests := map[string]struct {
		published []string
		want      string // OURS is the term of our addresses
	}{
		"nothing":                     {nil, "v=spf1 OURS -all"},
		"all in the middle":           {[]string{"v=spf1 -all ip4:192.0.2.7"}, "v=spf1 OURS ip4:192.0.2.7 -all"},
		"our address behind all":      {[]string{"v=spf1 -all OURS"}, "v=spf1 OURS -all"},
		"our address refused":         {[]string{"v=spf1 -OURS ~all"}, "v=spf1 OURS -OURS ~all"},
		"an unknown mechanism":        {[]string{"v=spf1 ipv4:192.0.2.7 mx -all"}, "v=spf1 OURS mx -all"},
		"an address that is none":     {[]string{"v=spf1 ip4:192.0.2.777 ip4:192.0.2.7/33 ip4:2001:db8::1 mx -all"}, "v=spf1 OURS mx -all"},
		"a semicolon":                 {[]string{"v=spf1 mx; -all;"}, "v=spf1 OURS"},
		"an include of nothing":       {[]string{"v=spf1 include: a -all"}, "v=spf1 OURS a -all"},
		"broken behind our address":   {[]string{"v=spf1 OURS nonsense -all"}, "v=spf1 OURS -all"},
		"two records":                 {[]string{"v=spf1 include:a.example -all", "v=spf1 include:b.example mx ~all"}, "v=spf1 OURS include:a.example include:b.example mx -all"},
		"two records, one redirected": {[]string{"v=spf1 redirect=a.example", "v=spf1 include:b.example"}, "v=spf1 OURS include:a.example include:b.example ~all"},
		"a redirection":               {[]string{"V=SPF1 redirect=a.example"}, "v=spf1 OURS redirect=a.example"},
		"two redirections in one":     {[]string{"v=spf1 redirect=a.example redirect=b.example"}, "v=spf1 OURS redirect=a.example"},
		"a modifier in the middle":    {[]string{"v=spf1 exp=why.example mx -all exp=why.example"}, "v=spf1 OURS mx -all exp=why.example"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.TXT("a.example", "v=spf1 ip4:192.0.2.1 -all")
			w.TXT("b.example", "v=spf1 ip4:192.0.2.2 -all")
			terms := strings.Fields(strings.TrimSuffix(w.record(isSPF).Value, " -all"))[1:]
			w.spf("")
			for _, text := range tt.published {
				w.TXT("home.example", strings.ReplaceAll(text, "OURS", terms[0]))
			}
			got := w.record(isSPF)
			want := strings.ReplaceAll(strings.ReplaceAll(tt.want, "-OURS", "-"+terms[0]), "OURS", strings.Join(terms, " "))
			if got.Value != want {
				t.Errorf("got %q, want %q", got.Value, want)
			}
			w.spf(got.Value)
			if bad := w.keys(""); slices.ContainsFunc(bad, func(key string) bool { return strings.Contains(key, "spf") }) {
				t.Errorf("%q does not pass: %v", got.Value, bad)
			}
			if again := w.record(isSPF); again.Key != "spf_kept" || again.Value != got.Value {
				t.Errorf("published, it is proposed anew: %v", again)
			}
		})
	}
}

func TestSPFThatPassesOverBrokenTermsFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if w.ours == "" {
		t.Skip("this machine has no network, so no address to publish")
	}
	w.spf(strings.TrimSuffix(w.record(isSPF).Value, "-all") + "ipv4:192.0.2.7 -all")
	if got := w.keys(""); !slices.Contains(got, "FAIL spf_broken") {
		t.Errorf("got %v", got)
	}
}

func TestTooManySPFLookupsAreReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if w.ours == "" {
		t.Skip("this machine has no network, so no address to publish")
	}
	w.manyLookups()
	if got := w.record(isSPF); got.Key != "spf_many" || !strings.Contains(got.Value, "include:i11.example") {
		t.Errorf("got %v", got)
	}
}

// A DKIM record is ours when its key is, however it is written.
func TestDKIMRecordsAreComparedByKey(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		write func(p string) string
		ours  bool
	}{
		"as we write it":          {func(p string) string { return "v=DKIM1; k=rsa; p=" + p }, true},
		"without a version":       {func(p string) string { return "k=rsa; p=" + p }, true},
		"without a kind":          {func(p string) string { return "v=DKIM1;p=" + p + ";" }, true},
		"strict, for email":       {func(p string) string { return "v=DKIM1; h=sha1:sha256; k=rsa; s=email; t=s; p=" + p }, true},
		"with a note":             {func(p string) string { return "p=" + p + "; n=our key; s=*" }, true},
		"with spaces":             {func(p string) string { return "v = DKIM1 ; p = " + p[:40] + " " + p[40:] }, true},
		"for another service":     {func(p string) string { return "s=tlsrpt; p=" + p }, false},
		"for another hash":        {func(p string) string { return "h=sha1; p=" + p }, false},
		"of another kind":         {func(p string) string { return "k=ed25519; p=" + p }, false},
		"of another version":      {func(p string) string { return "v=DKIM2; p=" + p }, false},
		"with its version behind": {func(p string) string { return "p=" + p + "; v=DKIM1" }, false},
		"revoked":                 {func(string) string { return "v=DKIM1; p=" }, false},
		"another key":             {func(p string) string { return "v=DKIM1; p=" + p[:40] + "AAAA" + p[44:] }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if err := w.c.DKIM.Prepare(t.Context()); err != nil {
				t.Fatal(err)
			}
			keys, err := w.c.DKIM.Keys(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range keys {
				w.Remove(k.Name())
				w.TXT(k.Name(), k.Record)
				if k.Algorithm == "rsa" {
					_, p, _ := strings.Cut(k.Record, "p=")
					w.Remove(k.Name())
					w.TXT(k.Name(), tt.write(p))
				}
			}
			if other := slices.Contains(w.keys(""), "FAIL dkim_other"); other == tt.ours {
				t.Errorf("check: another key's: %v", other)
			}
			if err := w.c.NextPublished(t.Context()); (err == nil) != tt.ours {
				t.Errorf("before a switch: %v", err)
			}
		})
	}
}

// Reports go to another domain only if that agrees (RFC 7489, 7.1).
func TestDMARCReportsToAnotherDomainNeedItsRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	isReport := func(r check.Record) bool { return r.Key == "reports_elsewhere" }
	policy := func(text string) {
		w.Remove("_dmarc.home.example")
		w.TXT("_dmarc.home.example", text)
	}
	policy("v=DMARC1; p=none; rua=mailto:a@home.example, mailto:b@mail.home.example,mailto:c@reports.example!10m")
	if got := w.record(isReport); got.Name != "home.example._report._dmarc.reports.example" || got.Value != "v=DMARC1" {
		t.Errorf("got %v", got)
	}
	if got := w.keys(""); !slices.Contains(got, "WARN reports_elsewhere") {
		t.Errorf("got %v", got)
	}
	w.TXT("home.example._report._dmarc.reports.example", "v=DMARC1;")
	w.c.Resolver.Forget()
	if got := w.kinds(); slices.Contains(got, "reports_elsewhere") {
		t.Errorf("published, it is proposed anew: %v", got)
	}
	w.Remove("_dmarc.home.example")
	w.c.Contact = "sam@elsewhere.example"
	if got := w.record(isReport); got.Name != "home.example._report._dmarc.elsewhere.example" {
		t.Errorf("with our own policy: got %v", got)
	}
}
