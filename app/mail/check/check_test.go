package check_test

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"gatelodge/app/mail/check"
	"gatelodge/app/mail/deliver"
	"gatelodge/app/mail/dkim"
	"gatelodge/app/mail/mailtest"
	"gatelodge/app/mail/mtasts"
	"gatelodge/app/mail/reach"
	"gatelodge/app/mail/resolve"
	"gatelodge/store"
	"gatelodge/store/storetest"
)

// world is a server whose mail arrives, in a DNS of the test's own.
type world struct {
	*mailtest.DNS
	t    *testing.T
	c    *check.Checker
	ours string // the address we come from
	mx   *mailtest.Server
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{DNS: mailtest.ServeDNS(t), t: t}
	db, err := store.Open(t.Context(), store.Options{Dir: storetest.Dir(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	ca := mailtest.NewAuthority(t)
	w.mx = mailtest.ServeOn(t, "127.0.0.2:0", mailtest.AcceptTLS(ca.Certificate(t, "mx.else.example", time.Hour)))
	r := resolve.New(w.Address, time.Now)
	guard := reach.Guard{AllowPrivate: true}
	ring := &dkim.Ring{DB: db, Domain: "home.example", Now: time.Now}
	w.c = &check.Checker{
		Resolver: r, DKIM: ring, Guard: guard, From: "login@home.example", EHLO: "auth.home.example", Port: w.mx.Port, Now: time.Now,
		Big: []string{"big.example"}, Contact: "sam@home.example",
		Direct: &deliver.Direct{
			Resolver: r, STS: mtasts.New(db, r, guard, ca.Pool, time.Now), Guard: guard, Port: w.mx.Port, EHLO: "auth.home.example",
			Memory: &deliver.Memory{DB: db, Now: time.Now, Log: slog.New(slog.DiscardHandler)}, Roots: ca.Pool, Limits: deliver.SignInLimits(), Now: time.Now,
		},
	}
	w.publish()
	return w
}

// publish does what "mail dns" says, and what others have published.
func (w *world) publish() {
	w.t.Helper()
	w.MX("big.example", 10, "mx.else.example")
	w.MX("else.example", 10, "mx.else.example")
	w.A("mx.else.example", "127.0.0.2")
	w.MX("home.example", 10, "mx.else.example")
	records, err := w.c.Records(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range records {
		switch r.Type {
		case "A", "AAAA":
			w.A(r.Name, r.Value)
			w.ours = r.Value
		case "PTR":
			w.PTR(r.Name, r.Value)
		case "TXT":
			w.TXT(r.Name, r.Value)
		}
	}
	w.c.Resolver.Forget()
}

// keys runs the checks and returns what is not good, as "LEVEL key".
func (w *world) keys(address string) []string {
	w.t.Helper()
	var list []string
	for _, f := range w.c.Run(w.t.Context(), address).Findings {
		if f.Level != check.OK {
			list = append(list, string(f.Level)+" "+f.Key)
		}
	}
	slices.Sort(list)
	return list
}

func TestWhatIsPublishedAsToldPasses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if w.ours == "" || strings.Contains(w.ours, "YOUR") {
		t.Skip("this machine has no network, so no address to publish")
	}
	if bad := w.keys("mara@else.example"); len(bad) > 0 && !slices.Equal(bad, []string{"FAIL resolver"}) {
		t.Errorf("got %v", bad)
	}
	if n := len(w.mx.Messages()); n != 0 {
		t.Errorf("the trial sent %d messages", n)
	}
	if heard := strings.Join(w.mx.Heard(), "\n"); !strings.Contains(heard, "RCPT TO:<mara@else.example>") || strings.Contains(heard, "DATA") {
		t.Errorf("heard %s", heard)
	}
}

func TestWhatIsWrongIsFound(t *testing.T) {
	t.Parallel()
	if newWorld(t).ours == "" {
		t.Skip("this machine has no network, so no address to publish")
	}
	closed := func(w *world) {
		l, err := net.Listen("tcp", "127.0.0.3:0")
		if err != nil {
			w.t.Fatal(err)
		}
		w.c.Port = l.Addr().(*net.TCPAddr).Port
		l.Close()
	}
	tests := map[string]struct {
		spoil func(w *world)
		want  string
	}{
		"DNS that is silent for one name": {func(w *world) { w.Fail("auth.home.example", true) }, "WARN unknown"},
		"no address":                      {func(w *world) { w.Remove("auth.home.example") }, "FAIL name_missing"},
		"another address":                 {func(w *world) { w.Remove("auth.home.example"); w.A("auth.home.example", "192.0.2.7") }, "WARN name_elsewhere"},
		"no reverse name": {func(w *world) {
			for _, r := range w.reverse() {
				w.Remove(r)
			}
		}, "FAIL reverse_missing"},
		"another reverse name": {func(w *world) {
			for _, r := range w.reverse() {
				w.Remove(r)
				w.PTR(r, "vps.provider.example")
			}
			w.A("vps.provider.example", w.ours)
		}, "WARN reverse_other"},
		"a reverse name that points elsewhere": {func(w *world) {
			for _, r := range w.reverse() {
				w.Remove(r)
				w.PTR(r, "vps.provider.example")
			}
			w.A("vps.provider.example", "192.0.2.9")
		}, "FAIL reverse_missing"},
		"no SPF":                    {func(w *world) { w.spf("") }, "FAIL spf_missing"},
		"SPF for somebody else":     {func(w *world) { w.spf("v=spf1 ip4:192.0.2.1 -all") }, "FAIL spf_refuses"},
		"SPF that does not say":     {func(w *world) { w.spf("v=spf1 ?all") }, "WARN spf_refuses"},
		"SPF with too many lookups": {func(w *world) { w.manyLookups() }, "FAIL spf_broken"},
		"a DKIM key of somebody":    {func(w *world) { w.key("v=DKIM1; k=rsa; p=AAAA") }, "FAIL dkim_other"},
		"no DKIM key":               {func(w *world) { w.key("") }, "FAIL dkim_missing"},
		"no DMARC":                  {func(w *world) { w.Remove("_dmarc.home.example") }, "WARN dmarc_missing"},
		"DMARC twice":               {func(w *world) { w.TXT("_dmarc.home.example", "v=DMARC1; p=reject") }, "FAIL dmarc_twice"},
		"a sender that takes none":  {func(w *world) { w.Remove("home.example"); w.MX("home.example", 0, "") }, "FAIL bounces_nowhere"},
		"port 25 that is refused":   {closed, "FAIL port_refused"},
		"port 25 refused, and a smarthost beside": {func(w *world) {
			closed(w)
			w.beside()
		}, "WARN port_refused_beside"},
		"no way to anybody":            {func(w *world) { w.c.Source = deliver.Source{Family: 6} }, "FAIL port_unreachable"},
		"a source that is not here":    {func(w *world) { w.c.Source.Address = netip.MustParseAddr("192.0.2.1") }, "WARN port_unknown"},
		"a domain that does not exist": {func(w *world) { w.Remove("else.example") }, "FAIL dry_no_domain"},
		"an address that is refused":   {func(w *world) { w.Remove("else.example"); w.MX("else.example", 0, "") }, "FAIL dry_refused"},
		"a server that is not there":   {func(w *world) { w.c.Direct.Port = 1 }, "WARN dry_later"},
		"mail that goes nowhere":       {func(w *world) { w.c.Direct = nil }, "FAIL capture"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tt.spoil(w)
			if got := w.keys("mara@else.example"); !slices.Contains(got, tt.want) {
				t.Errorf("got %v, want %s in it", got, tt.want)
			}
		})
	}
}

// beside puts a smarthost beside direct mail, one that is not there.
func (w *world) beside() {
	w.c.Smarthost = &deliver.Smarthost{Host: "mail.else.example", Port: 1, EHLO: "auth.home.example", Limits: deliver.SignInLimits(), Now: time.Now}
}

func (w *world) reverse() []string {
	var names []string
	records, err := w.c.Records(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range records {
		if r.Type == "PTR" {
			names = append(names, r.Name)
		}
	}
	return names
}

// spf replaces the policy of the domain.
func (w *world) spf(text string) {
	w.Remove("home.example")
	w.MX("home.example", 10, "mx.else.example")
	if text != "" {
		w.TXT("home.example", text)
	}
}

func (w *world) manyLookups() {
	text := "v=spf1"
	for i := range 12 {
		name := fmt.Sprintf("i%d.example", i)
		w.TXT(name, "v=spf1 ip4:192.0.2.1 -all")
		text += " include:" + name
	}
	w.spf(text + " -all")
}

// key replaces what is published of the RSA key.
func (w *world) key(text string) {
	keys, err := w.c.DKIM.Keys(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, k := range keys {
		if k.Algorithm == "rsa" {
			w.Remove(k.Name())
			if text != "" {
				w.TXT(k.Name(), text)
			}
		}
	}
}

// There may be one SPF record, so ours goes into the one that is there.
func TestSPFIsMergedIntoWhatIsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.spf("v=spf1 include:provider.example mx ~all")
	w.c.Resolver.Forget()
	records, err := w.c.Records(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if r.Key == "spf_merged" {
			if !strings.HasPrefix(r.Value, "v=spf1 ip") || !strings.HasSuffix(r.Value, " include:provider.example mx ~all") {
				t.Errorf("got %q", r.Value)
			}
			return
		}
	}
	t.Errorf("no record is merged: %v", records)
}

// The second server of a provider answers where the first does not: the port is
// open.
func TestOneServerThatAnswersShowsThatThePortIsOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Remove("big.example")
	w.MX("big.example", 10, "gone.else.example")
	w.MX("big.example", 20, "mx.else.example")
	w.A("gone.else.example", "127.0.0.9")
	if got := w.keys(""); slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "port") }) {
		t.Errorf("got %v", got)
	}
}

// A connection from which no mail may go, with a smarthost beside, has neither a
// reverse name nor a place in SPF, and mail arrives all the same.
func TestABlockedPortWithASmarthostBesidePasses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if w.ours == "" {
		t.Skip("this machine has no network, so no address to publish")
	}
	relay := mailtest.Serve(t, func(c *mailtest.Conn) {
		c.Line("220 mail.test")
		for c.Read() != "" {
			c.Line("250 ok")
		}
	})
	for _, name := range w.reverse() {
		w.Remove(name)
	}
	w.spf("")
	w.c.Port = 1
	w.c.Smarthost = &deliver.Smarthost{Host: relay.Host, Port: relay.Port, TLS: deliver.NoTLS, EHLO: "auth.home.example", Limits: deliver.SignInLimits(), Now: time.Now}
	got := w.keys("")
	for _, want := range []string{"WARN port_refused_beside", "WARN reverse_missing", "WARN spf_missing"} {
		if !slices.Contains(got, want) {
			t.Errorf("got %v, want %s in it", got, want)
		}
	}
	if slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "FAIL") && s != "FAIL resolver" }) {
		t.Errorf("it fails: %v", got)
	}
}

// kinds are the keys of all records, sorted.
func (w *world) kinds() []string {
	w.t.Helper()
	records, err := w.c.Records(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	var list []string
	for _, r := range records {
		list = append(list, r.Key)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// What is published already is printed as it stands, not as if there were nothing.
func TestWhatIsThereIsNotPrintedAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if got := w.kinds(); !slices.Contains(got, "dmarc_kept") || !slices.Contains(got, "mx_kept") || w.ours != "" && !slices.Contains(got, "spf_kept") {
		t.Errorf("published as told: got %v", got)
	}
	w.Remove("_dmarc.home.example")
	w.TXT("_dmarc.home.example", "v=DMARC1; p=reject; rua=mailto:x@else.example")
	records, err := w.c.Records(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := slices.ContainsFunc(records, func(r check.Record) bool {
		return r.Key == "dmarc_kept" && r.Value == "v=DMARC1; p=reject; rua=mailto:x@else.example"
	})
	if !found {
		t.Errorf("a stricter policy is not kept: %v", records)
	}
	w.Remove("home.example")
	w.Remove("_dmarc.home.example")
	if got := w.kinds(); !slices.Contains(got, "dmarc") || !slices.Contains(got, "mx_missing") || !slices.Contains(got, "spf") {
		t.Errorf("nothing is published: got %v", got)
	}
	w.Fail("home.example", true)
	w.Fail("_dmarc.home.example", true)
	if got := w.kinds(); !slices.Contains(got, "dmarc_unread") || !slices.Contains(got, "mx_unread") || !slices.Contains(got, "spf_unread") {
		t.Errorf("nobody knows what is published: got %v", got)
	}
}

// Mail signed by the last keys is on its way for days.
func TestRetiredKeysStayInTheList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.c.DKIM.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.c.DKIM.Switch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.kinds(); !slices.Contains(got, "dkim_retired") {
		t.Errorf("got %v", got)
	}
	now := time.Now().Add(8 * 24 * time.Hour)
	w.c.DKIM.Now = func() time.Time { return now }
	if got := w.kinds(); slices.Contains(got, "dkim_retired") {
		t.Errorf("after a week: got %v", got)
	}
}

// What servers look at goes by the domain of From, whoever the keys are of.
func TestPoliciesAreThoseOfTheSender(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.c.From = "login@Mail.else.example"
	records, err := w.c.Records(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if (strings.HasPrefix(r.Key, "spf") || strings.HasPrefix(r.Key, "mx")) && r.Name != "mail.else.example" ||
			strings.HasPrefix(r.Key, "dmarc") && r.Name != "_dmarc.mail.else.example" {
			t.Errorf("%s is for %s", r.Key, r.Name)
		}
	}
	if got := w.keys(""); !slices.Contains(got, "FAIL bounces_nowhere") {
		t.Errorf("got %v", got)
	}
}

func TestALongTextIsSplitForTheZone(t *testing.T) {
	line := check.Record{Name: "k.example", Type: "TXT", Value: strings.Repeat("x", 300) + `"`}.ZoneLine()
	if want := `k.example. 3600 IN TXT ( "` + strings.Repeat("x", 255) + `" "` + strings.Repeat("x", 45) + `\"" )`; line != want {
		t.Errorf("got  %s\nwant %s", line, want)
	}
}

// A pair of keys does not sign before everybody can look it up.
func TestTheNextKeysSignOnlyWhenTheyArePublished(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.c.DKIM.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.c.NextPublished(t.Context()); err == nil {
		t.Error("keys that nobody published are taken for published")
	}
	keys, err := w.c.DKIM.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.State == dkim.Next {
			w.TXT(k.Name(), k.Record)
		}
	}
	if err := w.c.NextPublished(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTheSmarthostIsGreeted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	relay := mailtest.Serve(t, func(c *mailtest.Conn) {
		c.Line("220 mail.test")
		for {
			switch word, _, _ := strings.Cut(c.Read(), " "); word {
			case "EHLO":
				c.Line("250-mail.test", "250 AUTH PLAIN")
			case "AUTH":
				c.Line("535 5.7.8 no")
			default:
				c.Line("250 ok")
			}
		}
	})
	w.c.Smarthost = &deliver.Smarthost{Host: relay.Host, Port: relay.Port, TLS: deliver.NoTLS, EHLO: "auth.home.example", Limits: deliver.SignInLimits(), Now: time.Now}
	w.c.Direct = nil
	if got := w.keys(""); slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "smarthost") }) {
		t.Errorf("got %v", got)
	}
	w.c.Smarthost.User, w.c.Smarthost.Password = "user", "hunter2"
	if got := w.keys(""); !slices.Contains(got, "FAIL smarthost_login") {
		t.Errorf("got %v", got)
	}
	w.c.Smarthost.Port = 1
	if got := w.keys(""); !slices.Contains(got, "FAIL smarthost_down") {
		t.Errorf("got %v", got)
	}
}
