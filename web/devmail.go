package web

import (
	"io"
	"net/http"

	"gatelodge/app/mail/outbox"
	"gatelodge/web/shell"
)

func (s inboxPages) getDevMail(q *shell.Request) error {
	list, err := s.Outbox.Captured(q.Context())
	if err != nil {
		return err
	}
	a := q.Attempt()
	page := DevMailPage{Layout: q.Layout(), Notice: q.Notice(&a)}
	if page.Notice != "" {
		if err := q.SaveAttempt(a); err != nil {
			return err
		}
	}
	for _, m := range list {
		page.Messages = append(page.Messages, devMailOf(m))
	}
	return q.Render(http.StatusOK, "dev-mail.html", page)
}

func devMailOf(m outbox.Message) DevMail {
	return DevMail{ID: m.ID, To: m.Rcpt, Subject: m.Subject, At: m.CreatedAt, Link: m.Link}
}

// postDevMail empties the inbox.
func (s inboxPages) postDevMail(q *shell.Request) error {
	if _, err := s.Outbox.Empty(q.Context()); err != nil {
		return err
	}
	a := q.Attempt()
	a.Notice = "devmail.emptied"
	if err := q.SaveAttempt(a); err != nil {
		return err
	}
	return q.Redirect("/dev/mail")
}

func (s inboxPages) getDevMessage(q *shell.Request) error {
	m, err := s.Outbox.Message(q.Context(), q.Param("id"))
	if err != nil {
		return err
	}
	page := DevMailMessagePage{Layout: q.Layout(), Message: devMailOf(m), Source: q.URL.Query().Has("source"), Body: m.Text}
	if page.Source {
		page.Body = m.Source
	}
	return q.Render(http.StatusOK, "dev-message.html", page)
}

// mailPolicy lets a mail keep its inline style and nothing else.
const mailPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-top-navigation allow-popups"

func (s inboxPages) getDevHTML(q *shell.Request) error {
	m, err := s.Outbox.Message(q.Context(), q.Param("id"))
	if err != nil {
		return err
	}
	q.W.Header().Set("Content-Type", "text/html; charset=utf-8")
	q.W.Header().Set("Content-Security-Policy", mailPolicy)
	if q.Method != http.MethodHead {
		_, _ = io.WriteString(q.W, m.HTML) // whoever asked has gone away
	}
	return nil
}

// unsent reports whether the server captures mail out of reach of the reader of a page.
func (s *pages) unsent(q *shell.Request) bool { return s.Outbox.Capture && !s.HasInbox(q.Request) }
