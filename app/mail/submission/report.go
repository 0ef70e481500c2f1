package submission

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"strings"
	"time"

	"gatelodge/app/email"
	"gatelodge/app/lang"
	"gatelodge/app/mail/queue"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// OnReport tells the sender of a mail that it could not be delivered, or, once, that
// it is or will be late. It is called in the transaction that writes the attempt down.
func (s *Service) OnReport(tx *store.Tx, w store.Work, r store.Report) error {
	late := false
	switch r.State {
	case "failed", "expired", "suppressed":
	case "queued":
		// OnReport when it is certain, which is before the time has passed: nothing is
		// tried until the next attempt.
		next := s.Now()
		if r.DueAt.After(next) {
			next = r.DueAt
		}
		if next.Sub(w.CreatedAt) < lateAfter {
			return nil
		}
		tell, err := tx.TellDelay(w.ID, s.Now())
		if err != nil || !tell {
			return err
		}
		late = true
	default:
		return nil
	}
	if w.EnvFrom == "" {
		return nil
	}
	norm, err := email.Normal(w.EnvFrom)
	if err != nil {
		return nil // the rules have changed since it was taken: nobody to tell
	}
	now := s.Now()
	id := store.NewID(now)
	body, err := s.report(w, r, late, id, now)
	if err != nil {
		return err
	}
	return s.Queue.Add(tx, queue.Mail{
		ID: id, Class: queue.ClassReport, Purpose: "report", To: w.EnvFrom, RcptHash: secret.MAC(s.Key, norm), Addressed: true,
		Body: body, NotAfter: now.Add(relayedFor), Reference: w.Reference,
	})
}

// atATime is how many senders are notified in one transaction: each mail is read whole.
const atATime = 10

// TellLate tells some senders whose mail has been late since before anybody tried
// it again: while its domain waits nothing is tried. It returns how many there were.
func (s *Service) TellLate(ctx context.Context) (n int, err error) {
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		list, err := tx.LateMessages(queue.ClassRelayed, s.Now().Add(-lateAfter), atATime)
		if err != nil {
			return err
		}
		n = len(list)
		for _, m := range list {
			w, err := tx.MessageByID(m.ID)
			if err != nil {
				return err
			}
			r := store.Report{State: "queued", DueAt: m.DueAt, Code: m.LastCode, Enhanced: m.LastEnh, Text: m.LastText}
			if d, err := tx.MailDomain(m.Domain); err != nil {
				return err
			} else if r.Text == "" {
				r.Text = d.Reason
			}
			if err := s.OnReport(tx, w, r); err != nil {
				return err
			}
		}
		return nil
	})
	if n > 0 && err == nil {
		s.Queue.Wake()
	}
	return n, err
}

// report is a delivery status notification (RFC 3464): words, fields for
// programs, and the header of the mail it is about.
func (s *Service) report(w store.Work, r store.Report, late bool, id string, now time.Time) ([]byte, error) {
	p := s.Lang.For("")
	action, status := "failed", statusOf(r, "5.0.0")
	if r.State == "expired" {
		status = "5.4.7" // its time has passed, whatever was said last (RFC 3463, 3.5)
	}
	subject, words := p.Say("mail.report.failed_subject", "to", w.Rcpt), p.Say("mail.report.failed", "to", w.Rcpt, "host", s.Host)
	if late {
		action, status = "delayed", statusOf(r, "4.0.0")
		subject = p.Say("mail.report.late_subject", "to", w.Rcpt)
		words = p.Say("mail.report.late", "to", w.Rcpt, "host", s.Host, "until", p.Moment(w.NotAfter))
	}
	boundary := "gl-" + rand.Text()
	var b bytes.Buffer
	for _, line := range []string{
		"From: " + s.From.String(), "To: " + w.EnvFrom, "Subject: " + mime.QEncoding.Encode("utf-8", subject),
		"Date: " + now.UTC().Format(time.RFC1123Z), "Message-ID: <" + id + "@" + email.DomainOf(s.From.Address) + ">",
		"MIME-Version: 1.0", "Auto-Submitted: auto-replied",
		`Content-Type: multipart/report; report-type=delivery-status; boundary="` + boundary + `"`,
		"", "--" + boundary, "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: quoted-printable", "",
	} {
		b.WriteString(strings.ReplaceAll(line, "?= =?", "?=\r\n =?") + "\r\n")
	}
	said := words + "\r\n"
	if r.Code > 0 || r.Text != "" {
		said += "\r\n" + why(p, r) + "\r\n"
	}
	quoted := quotedprintable.NewWriter(&b)
	if _, err := quoted.Write([]byte(said)); err != nil {
		return nil, err
	}
	if err := quoted.Close(); err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, "\r\n--%s\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; %s\r\nArrival-Date: %s\r\n\r\n",
		boundary, s.Host, w.CreatedAt.UTC().Format(time.RFC1123Z))
	fmt.Fprintf(&b, "Final-Recipient: %s\r\nAction: %s\r\nStatus: %s\r\n", typed(w.Rcpt), action, status)
	if r.Code > 0 {
		fmt.Fprintf(&b, "Diagnostic-Code: smtp; %d %s\r\n", r.Code, printable(strings.TrimSpace(r.Enhanced+" "+r.Text)))
	}
	if late {
		fmt.Fprintf(&b, "Will-Retry-Until: %s\r\n", w.NotAfter.UTC().Format(time.RFC1123Z))
	}
	fmt.Fprintf(&b, "\r\n--%s\r\nContent-Type: text/rfc822-headers\r\n\r\n%s\r\n--%s--\r\n", boundary, headerOf(w.Body), boundary)
	return b.Bytes(), nil
}

// why says in the words of the other server, or in ours, what is in the way.
func why(p lang.Printer, r store.Report) string {
	if r.Code > 0 {
		return p.Say("mail.report.answer", "answer", strings.TrimSpace(fmt.Sprintf("%d %s %s", r.Code, r.Enhanced, r.Text)))
	}
	return p.Say("mail.report.why", "why", r.Text)
}

// statusOf is the enhanced code, or the class of it when there is none.
func statusOf(r store.Report, otherwise string) string {
	if r.Enhanced != "" && r.Enhanced[0] == otherwise[0] {
		return r.Enhanced
	}
	return otherwise
}

// headerOf is the header of a mail, of which a report shows so much and no more.
func headerOf(body []byte) string {
	const most = 8 << 10
	header, _, _ := bytes.Cut(body, []byte("\r\n\r\n"))
	var b strings.Builder
	for line := range strings.SplitAfterSeq(string(header)+"\r\n", "\r\n") {
		if b.Len()+len(line) > most {
			break
		}
		b.WriteString(printable(strings.TrimSuffix(line, "\r\n")) + "\r\n")
	}
	return strings.TrimRight(b.String(), "\r\n") + "\r\n"
}

// typed is an address with its type, one beyond ASCII in the form of it that ASCII
// can hold (RFC 6533, 3).
func typed(address string) string {
	if !strings.ContainsFunc(address, func(r rune) bool { return r >= 0x80 }) {
		return "rfc822; " + printable(address)
	}
	var b strings.Builder
	for _, r := range address {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune(`\+=`, r) {
			fmt.Fprintf(&b, `\x{%02X}`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return "utf-8; " + b.String()
}

// printable makes text fit for a part that is ASCII.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r >= ' ' && r < 0x7f {
			return r
		}
		return '?'
	}, text)
}
