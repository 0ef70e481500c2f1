package web_test

import (
	"time"

	"gatelodge/app/mail/check"
	"gatelodge/app/mail/outbox"
	"gatelodge/store"
	"gatelodge/web"
)

// adminStates are the pages of those who run the server, in every state.
func adminStates(l web.Layout) map[string]state {
	now := l.Now
	layout := l
	down := layout
	down.Alarm = outbox.Alarm{Kind: outbox.AlarmDown, Since: now.Add(-time.Hour), Reason: "the server did not answer in time"}
	message := func(id, state string, change func(*web.AdminMessage)) web.AdminMessage {
		m := web.AdminMessage{Kind: "Sign-in link", Message: store.Message{
			ID: id, Purpose: "signin", Rcpt: "jin.lee@partner.example", Domain: "partner.example", State: state, Attempts: 2, CreatedAt: now, DueAt: now.Add(4 * time.Minute),
			NotAfter: now.Add(time.Hour), LastCode: 451, LastEnh: "4.7.1", LastText: "Greylisted, asked us to wait", Reference: "GL-7F3K-92QD", TLS: "TLS 1.3, verified", LastIP: "203.0.113.25",
		}}
		if change != nil {
			change(&m)
		}
		return m
	}
	queued := message("m1", "queued", func(m *web.AdminMessage) { m.In = 4 * time.Minute })
	ended := func(m *web.AdminMessage) { m.DoneAt, m.Rcpt, m.LastCode, m.LastEnh = now, "", 250, "" }
	record := web.AdminRecord{About: "The policy for unsigned mail", Record: check.Record{Name: "_dmarc.home.example", Type: "TXT", Value: "v=DMARC1; p=none; rua=mailto:sam@home.example"}}
	days := make([]store.MailDay, 7)
	for i := range days {
		days[i] = store.MailDay{Day: now.AddDate(0, 0, i-6), Sent: i * 7, Returned: i % 3}
	}
	page := web.AdminMailPage{
		Layout: layout, Way: "direct", From: "login@home.example",
		Statistics: outbox.Statistics{Waiting: 3, Sent: 212, Returned: 1, Took: 1800 * time.Millisecond, Days: days},
		Queue: []web.AdminMessage{
			queued,
			message("m2", "leased", func(m *web.AdminMessage) { m.App, m.LastCode, m.LastText = "nas", 0, "" }),
			message("m3", "held", nil), message("m4", "queued", nil),
		},
		Domains: []store.MailDomain{{Domain: "old-mail.example", Until: now.Add(time.Hour), Reason: "No answer from mx1.old-mail.example"}},
		Report:  check.Report{At: now.Add(-3 * time.Minute)},
		Findings: []web.AdminFinding{
			{Level: check.Fail, Text: "DMARC is missing: large providers trust mail without it less", Fix: "Publish this record.", Record: record},
			{Level: check.Warn, Text: "203.0.113.10 is called x.example", Answer: "x.example"},
			{Level: check.OK, Text: "Port 25 is open"},
		},
	}
	var done []web.AdminMessage
	for _, s := range []string{"sent", "captured", "cancelled", "expired", "suppressed", "failed"} {
		done = append(done, message(s, s, ended))
	}
	return map[string]state{
		"admin-mail": {"admin-mail.html", page},
		"admin-mail-alarm": {"admin-mail.html", with(page, func(p *web.AdminMailPage) {
			p.Alarm, p.Way, p.Looking, p.Notice = outbox.Alarm{Kind: outbox.AlarmLate, Since: now.Add(-5 * time.Minute)}, "smarthost", true, "Message cancelled."
		})},
		"admin-mail-none": {"admin-mail.html", web.AdminMailPage{Layout: with(layout, func(l *web.Layout) {
			l.Alarm = outbox.Alarm{Kind: outbox.AlarmFailing, Failed: 4, Asked: 12}
		}), Way: "capture"}},
		"admin-mail-standby": {"admin-mail.html", with(page, func(p *web.AdminMailPage) {
			p.Alarm = outbox.Alarm{Kind: outbox.AlarmStandby, Since: now.Add(-5 * time.Minute), Reason: "bad credentials"}
			p.Queue = []web.AdminMessage{message("m6", "queued", func(m *web.AdminMessage) { m.Attempts = 0 })}
		})},
		"admin-mail-policy": {"admin-mail.html", with(page, func(p *web.AdminMailPage) {
			p.Alarm = outbox.Alarm{Kind: outbox.AlarmPolicy, Since: now.Add(-5 * time.Minute), Reason: "550 5.7.25 your address has no name", Domain: "partner.example"}
		})},
		"admin-sent":         {"admin-sent.html", web.AdminSentPage{Layout: down, Messages: done}},
		"admin-sent-none":    {"admin-sent.html", web.AdminSentPage{Layout: layout}},
		"admin-message":      {"admin-message.html", web.AdminMessagePage{Layout: layout, Message: queued, Notice: "Message held."}},
		"admin-message-done": {"admin-message.html", web.AdminMessagePage{Layout: layout, Message: message("m5", "failed", func(m *web.AdminMessage) { ended(m); m.App = "nas" })}},
		"admin-blocked": {"admin-blocked.html", web.AdminBlockedPage{Layout: layout, Notice: "Address unblocked.", Blocked: []store.Suppression{
			{Rcpt: "gone@partner.example", Reason: "550 5.1.1 no such user", ExpiresAt: now.AddDate(0, 1, 0)},
		}}},
		"admin-blocked-none":  {"admin-blocked.html", web.AdminBlockedPage{Layout: layout}},
		"admin-dns":           {"admin-dns.html", web.AdminDNSPage{Layout: layout, Records: []web.AdminRecord{record}}},
		"admin-test":          {"admin-test.html", web.AdminTestPage{Layout: layout, Email: "sam@home.example", Problem: "Check the address."}},
		"admin-test-captured": {"admin-test.html", web.AdminTestPage{Layout: layout, Captured: true}},
		"admin-test-accepted": {"admin-test.html", web.AdminTestPage{Layout: layout, Email: "sam@home.example", Accepted: true, Steps: []string{" 0.003s < 220 mail.test ESMTP", " 0.004s > EHLO auth.home.example"}}},
		"admin-test-refused":  {"admin-test.html", web.AdminTestPage{Layout: layout, Email: "sam@home.example", Steps: []string{" 0.003s < 550 no"}, Answer: "550 5.7.1 not from you"}},
	}
}
