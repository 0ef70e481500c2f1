package web

import (
	"fmt"
	"time"

	"gatelodge/app/mail/check"
	"gatelodge/app/mail/outbox"
	"gatelodge/store"
)

// AdminMailPage is admin-mail.html: the queue, and whether mail arrives. It posts
// to /admin/mail/retry, /admin/mail/hold, /admin/mail/cancel and /admin/mail/check.
type AdminMailPage struct {
	Layout
	Way        string // "direct", "smarthost" or "capture"
	From       string
	Statistics outbox.Statistics
	Queue      []AdminMessage
	Domains    []store.MailDomain // that mail waits for
	Report     check.Report
	Findings   []AdminFinding // of the report, the worst first
	Looking    bool           // a new report is on its way
	Notice     string
}

// AdminMessage is a message as admins see it.
type AdminMessage struct {
	store.Message
	Kind string        // in words: "Sign-in link"
	App  string        // that handed it over, or ""
	In   time.Duration // until the next attempt; 0 is now
}

// To returns the address while it is kept, and then its domain.
func (m AdminMessage) To() string {
	if m.Rcpt != "" {
		return m.Rcpt
	}
	return "@" + m.Domain
}

// Unoffered reports whether the mail was tried and no server got so far as to be
// offered it: that is no try of the mail.
func (m AdminMessage) Unoffered() bool { return m.Attempts == 0 && m.Tried() }

// Answer returns the codes of the other server's last answer, or "".
func (m AdminMessage) Answer() string {
	switch {
	case m.LastCode == 0:
		return ""
	case m.LastEnh == "":
		return fmt.Sprint(m.LastCode)
	}
	return fmt.Sprint(m.LastCode, " ", m.LastEnh)
}

// Waits reports whether the mail can still be retried or taken back.
func (m AdminMessage) Waits() bool { return m.DoneAt.IsZero() }

// AdminFinding is a finding in words.
type AdminFinding struct {
	Level  check.Level
	Text   string
	Fix    string // or ""
	Answer string // of a server or DNS, or ""
	Record AdminRecord
}

// AdminRecord is something to publish in DNS; its zero value is nothing.
type AdminRecord struct {
	check.Record
	About string
}

// AdminSentPage is admin-sent.html.
type AdminSentPage struct {
	Layout
	Messages []AdminMessage
	Notice   string
}

// AdminMessagePage is admin-message.html. It posts as AdminMailPage does.
type AdminMessagePage struct {
	Layout
	Message AdminMessage
	Notice  string
}

// AdminBlockedPage is admin-blocked.html. It posts email to
// /admin/mail/unsuppress.
type AdminBlockedPage struct {
	Layout
	Blocked []store.Suppression
	Notice  string
}

// AdminDNSPage is admin-dns.html.
type AdminDNSPage struct {
	Layout
	Records []AdminRecord
}

// AdminTestPage is admin-test.html. It posts email to itself.
type AdminTestPage struct {
	Layout
	Captured bool
	Email    string
	Problem  string
	Steps    []string // of the conversation; nil before there was one
	Accepted bool
	Answer   string // of the server that did not
}

// Bar is one day in the chart of mail, in its units: the chart is 100 high.
type Bar struct {
	X, Y, Height string
	Bad          bool
}

const (
	barWidth = 14.0 // of one day
	barGap   = 2.0
)

// BarWidth is how wide a bar is.
func (AdminMailPage) BarWidth() string { return fmt.Sprintf("%.1f", barWidth-2*barGap) }

// Busiest returns how much mail ended on the day with the most.
func (p AdminMailPage) Busiest() int {
	most := 0
	for _, d := range p.Statistics.Days {
		most = max(most, d.Sent+d.Returned)
	}
	return most
}

// Totals returns the mail of all days together.
func (p AdminMailPage) Totals() store.MailDay {
	var all store.MailDay
	for _, d := range p.Statistics.Days {
		all.Sent += d.Sent
		all.Returned += d.Returned
	}
	return all
}

// Bars draws the days: what was sent, and on top of it what came back.
func (p AdminMailPage) Bars() []Bar {
	most := float64(max(p.Busiest(), 1))
	var list []Bar
	for i, d := range p.Statistics.Days {
		x := float64(i)*barWidth + barGap
		sent, returned := float64(d.Sent)/most*98, float64(d.Returned)/most*98
		for _, b := range []struct {
			y, height float64
			bad       bool
		}{{100 - sent, sent, false}, {100 - sent - returned, returned, true}} {
			if b.height > 0 {
				list = append(list, Bar{fmt.Sprintf("%.1f", x), fmt.Sprintf("%.1f", b.y), fmt.Sprintf("%.1f", b.height), b.bad})
			}
		}
	}
	return list
}
