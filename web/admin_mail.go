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
	"gatelodge/app/session"
	"gatelodge/store"
)

const adminMail = "/admin/mail"

func (s *Server) getAdminMail(w http.ResponseWriter, r *http.Request) error {
	return s.admin(w, r, func(cur session.Current) error {
		figures, err := s.Outbox.Figures(r.Context())
		if err != nil {
			return err
		}
		page := AdminMailPage{Layout: s.personal(r, cur.User), Way: s.Outbox.Queue.Way().Name, From: s.MailFrom, Figures: figures}
		waiting, err := s.Outbox.List(r.Context(), false)
		if err != nil {
			return err
		}
		p := s.printer(r)
		if page.Domains, err = s.Outbox.Waiting(r.Context()); err != nil {
			return err
		}
		page.Queue = s.adminMessages(p, waiting, page.Domains)
		page.Report, page.Looking = s.Check.Recent()
		page.Findings = s.findings(p, page.Report)
		if page.Notice, err = s.taken(w, r); err != nil {
			return err
		}
		return s.render(w, r, http.StatusOK, "admin-mail.html", page)
	})
}

// adminMessages says messages in the reader's words. domains are those that mail
// waits for.
func (s *Server) adminMessages(p lang.Printer, list []store.Message, domains []store.MailDomain) []AdminMessage {
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

func (s *Server) adminMessage(p lang.Printer, m store.Message, d store.MailDomain) AdminMessage {
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
func (s *Server) findings(p lang.Printer, r check.Report) []AdminFinding {
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

func (s *Server) getAdminSent(w http.ResponseWriter, r *http.Request) error {
	return s.admin(w, r, func(cur session.Current) error {
		done, err := s.Outbox.Done(r.Context())
		if err != nil {
			return err
		}
		return s.render(w, r, http.StatusOK, "admin-sent.html", AdminSentPage{Layout: s.personal(r, cur.User), Messages: s.adminMessages(s.printer(r), done, nil)})
	})
}

func (s *Server) getAdminMessage(w http.ResponseWriter, r *http.Request) error {
	return s.admin(w, r, func(cur session.Current) error {
		m, err := s.Outbox.Find(r.Context(), param(r, "id"))
		if err != nil {
			return err
		}
		d, err := s.Outbox.Domain(r.Context(), m.Domain)
		if err != nil {
			return err
		}
		page := AdminMessagePage{Layout: s.personal(r, cur.User), Message: s.adminMessage(s.printer(r), m, d.MailDomain)}
		if page.Notice, err = s.taken(w, r); err != nil {
			return err
		}
		return s.render(w, r, http.StatusOK, "admin-message.html", page)
	})
}

func (s *Server) getAdminBlocked(w http.ResponseWriter, r *http.Request) error {
	return s.admin(w, r, func(cur session.Current) error {
		blocked, err := s.Outbox.Suppressed(r.Context(), "")
		if err != nil {
			return err
		}
		page := AdminBlockedPage{Layout: s.personal(r, cur.User), Blocked: blocked}
		if page.Notice, err = s.taken(w, r); err != nil {
			return err
		}
		return s.render(w, r, http.StatusOK, "admin-blocked.html", page)
	})
}

func (s *Server) getAdminDNS(w http.ResponseWriter, r *http.Request) error {
	return s.admin(w, r, func(cur session.Current) error {
		records, err := s.Check.Records(r.Context())
		if err != nil {
			return err
		}
		page, p := AdminDNSPage{Layout: s.personal(r, cur.User)}, s.printer(r)
		for _, record := range records {
			page.Records = append(page.Records, adminRecord(p, record))
		}
		return s.render(w, r, http.StatusOK, "admin-dns.html", page)
	})
}

// changeMail does something to a mail that waits, writes down who did, and leads
// back with a sentence about it.
func (s *Server) changeMail(
	w http.ResponseWriter, r *http.Request, done, notice string, change func(ctx context.Context, id string) (int, error),
) error {
	return s.adminFresh(w, r, adminMail, func(cur session.Current) error {
		id := r.PostForm.Get("id")
		n, err := change(r.Context(), id)
		if errors.Is(err, outbox.ErrNotWaiting) {
			return s.backTo(w, r, adminMail, "admin_mail.not_waiting", 0)
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return s.backTo(w, r, adminMail, "admin_mail.nothing_waits", 0)
		}
		s.Audit.Note(s.from(r), audit.MailChanged, audit.ByUser, cur.User.ID, strings.TrimSpace(done+" "+id))
		return s.backTo(w, r, adminMail, notice, n)
	})
}

func (s *Server) postAdminRetry(w http.ResponseWriter, r *http.Request) error {
	return s.changeMail(w, r, "retry", "admin_mail.retried", s.Outbox.Retry)
}

func (s *Server) postAdminHold(w http.ResponseWriter, r *http.Request) error {
	return s.changeMail(w, r, "hold", "admin_mail.held", func(ctx context.Context, id string) (int, error) { return 1, s.Outbox.Hold(ctx, id) })
}

func (s *Server) postAdminCancel(w http.ResponseWriter, r *http.Request) error {
	return s.changeMail(w, r, "cancel", "admin_mail.cancelled", func(ctx context.Context, id string) (int, error) { return 1, s.Outbox.Cancel(ctx, id) })
}

func (s *Server) postAdminUnsuppress(w http.ResponseWriter, r *http.Request) error {
	return s.change(w, r, adminMail+"/blocked", "admin_mail.unsuppressed", func(cur session.Current) error {
		norm, err := email.Normal(r.PostForm.Get("email"))
		if err != nil {
			return err
		}
		err = s.Outbox.Unsuppress(r.Context(), norm)
		if err != nil && !errors.Is(err, outbox.ErrNotSuppressed) {
			return err
		}
		s.Audit.Note(s.from(r), audit.MailChanged, audit.ByUser, cur.User.ID, "unsuppress")
		return nil
	})
}

// postAdminCheck looks now whether mail arrives: that takes some seconds.
func (s *Server) postAdminCheck(w http.ResponseWriter, r *http.Request) error {
	return s.adminFresh(w, r, adminMail, func(session.Current) error {
		s.Check.Run(r.Context(), "")
		return s.redirect(w, r, adminMail+"#check")
	})
}
