package web

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"gatelodge/app/audit"
	"gatelodge/app/email"
	"gatelodge/app/lang"
	"gatelodge/app/mail/check"
	"gatelodge/app/mail/outbox"
	"gatelodge/store"
	"gatelodge/web/shell"
)

const adminMail = "/admin/mail"

func (s adminPages) getAdminMail(q *shell.Request) error {
	cur := q.Current
	stats, err := s.Outbox.Statistics(q.Context())
	if err != nil {
		return err
	}
	page := AdminMailPage{Layout: s.personal(q, cur.User), Way: s.Outbox.Queue.Way().Name, From: s.MailFrom, Statistics: stats}
	page.Path = adminMail // the alarm above it needs no link to this page
	waiting, err := s.Outbox.List(q.Context(), false)
	if err != nil {
		return err
	}
	p := q.Printer()
	if page.Domains, err = s.Outbox.Waiting(q.Context()); err != nil {
		return err
	}
	page.Queue = s.adminMessages(p, waiting, page.Domains)
	page.Report, page.Looking = s.Check.Recent()
	page.Findings = s.findings(p, page.Report)
	if page.Notice, err = q.Taken(); err != nil {
		return err
	}
	return q.Render(http.StatusOK, "admin-mail.html", page)
}

// adminMessages says messages in the reader's words. domains are those that mail
// waits for.
func (s adminPages) adminMessages(p lang.Printer, list []store.Message, domains []store.MailDomain) []AdminMessage {
	waits := make(map[string]store.MailDomain)
	for _, d := range domains {
		waits[d.Domain] = d
	}
	all := make([]AdminMessage, len(list))
	for i, m := range list {
		all[i] = s.adminMessage(p, m, waits[m.Domain])
	}
	return all
}

func (s adminPages) adminMessage(p lang.Printer, m store.Message, d store.MailDomain) AdminMessage {
	a := AdminMessage{Message: m, In: max(0, d.NextAt(m.Class, m.DueAt).Sub(s.Now()))}
	kind, app, relayed := strings.Cut(m.Purpose, "/")
	a.Kind = m.Purpose
	if key := "admin_mail.kind." + kind; s.Lang.Has(key) {
		a.Kind = p.Say(key)
	}
	if relayed {
		a.App = app
	}
	return a
}

// findings says a report in the reader's words, the worst first.
func (s adminPages) findings(p lang.Printer, r check.Report) []AdminFinding {
	var list []AdminFinding
	for _, level := range []check.Level{check.Fail, check.Warn, check.OK} {
		for _, f := range r.Findings {
			if f.Level != level {
				continue
			}
			said := AdminFinding{Level: f.Level, Text: p.Say("mail.check."+f.Key, f.Args...), Answer: f.Answer}
			if fix := "mail.check." + f.Key + "_fix"; s.Lang.Has(fix) {
				said.Fix = p.Say(fix, f.Args...)
			}
			if f.Record != nil {
				said.Record = adminRecord(p, *f.Record)
			}
			list = append(list, said)
		}
	}
	return list
}

func adminRecord(p lang.Printer, r check.Record) AdminRecord {
	return AdminRecord{Record: r, About: p.Say("mail.dns." + r.Key)}
}

func (s adminPages) getAdminSent(q *shell.Request) error {
	cur := q.Current
	done, err := s.Outbox.Done(q.Context())
	if err != nil {
		return err
	}
	return q.Render(http.StatusOK, "admin-sent.html", AdminSentPage{Layout: s.personal(q, cur.User), Messages: s.adminMessages(q.Printer(), done, nil)})
}

func (s adminPages) getAdminMessage(q *shell.Request) error {
	cur := q.Current
	m, err := s.Outbox.Find(q.Context(), q.Param("id"))
	if err != nil {
		return err
	}
	d, err := s.Outbox.Domain(q.Context(), m.Domain)
	if err != nil {
		return err
	}
	page := AdminMessagePage{Layout: s.personal(q, cur.User), Message: s.adminMessage(q.Printer(), m, d.MailDomain)}
	if page.Notice, err = q.Taken(); err != nil {
		return err
	}
	return q.Render(http.StatusOK, "admin-message.html", page)
}

func (s adminPages) getAdminBlocked(q *shell.Request) error {
	cur := q.Current
	blocked, err := s.Outbox.Suppressed(q.Context(), "")
	if err != nil {
		return err
	}
	page := AdminBlockedPage{Layout: s.personal(q, cur.User), Blocked: blocked}
	if page.Notice, err = q.Taken(); err != nil {
		return err
	}
	return q.Render(http.StatusOK, "admin-blocked.html", page)
}

func (s adminPages) getAdminDNS(q *shell.Request) error {
	cur := q.Current
	records, err := s.Check.Records(q.Context())
	if err != nil {
		return err
	}
	page, p := AdminDNSPage{Layout: s.personal(q, cur.User)}, q.Printer()
	for _, record := range records {
		page.Records = append(page.Records, adminRecord(p, record))
	}
	return q.Render(http.StatusOK, "admin-dns.html", page)
}

// changeMail does something to a mail in the queue, and leads back with a sentence
// about it.
func (s adminPages) changeMail(
	q *shell.Request, notice string, change func(ctx context.Context, from audit.Origin, id string) (int, error),
) error {
	n, err := change(q.Context(), q.From(), q.PostForm.Get("id"))
	if errors.Is(err, outbox.ErrNotWaiting) {
		return q.BackTo(adminMail, "admin_mail.not_waiting", 0)
	}
	if err != nil {
		return err
	}
	if n == 0 {
		return q.BackTo(adminMail, "admin_mail.nothing_waits", 0)
	}
	return q.BackTo(adminMail, notice, n)
}

func (s adminPages) postAdminRetry(q *shell.Request) error {
	return s.changeMail(q, "admin_mail.retried", s.Outbox.Retry)
}

func (s adminPages) postAdminHold(q *shell.Request) error {
	return s.changeMail(q, "admin_mail.held", func(ctx context.Context, from audit.Origin, id string) (int, error) {
		return 1, s.Outbox.Hold(ctx, from, id)
	})
}

func (s adminPages) postAdminCancel(q *shell.Request) error {
	return s.changeMail(q, "admin_mail.cancelled", func(ctx context.Context, from audit.Origin, id string) (int, error) {
		return 1, s.Outbox.Cancel(ctx, from, id)
	})
}

func (s adminPages) postAdminUnsuppress(q *shell.Request) error {
	norm, err := email.Normal(q.PostForm.Get("email"))
	if err != nil {
		return err
	}
	err = s.Outbox.Unsuppress(q.Context(), q.From(), norm)
	if err != nil && !errors.Is(err, outbox.ErrNotSuppressed) {
		return err
	}
	return s.changed(q, "admin_mail.unsuppressed", nil)
}

// postAdminCheck looks now whether mail arrives: that takes some seconds.
func (s adminPages) postAdminCheck(q *shell.Request) error {
	s.Check.Run(q.Context(), "")
	return q.Redirect(adminMail + "#check")
}
