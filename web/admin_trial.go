package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"gatelodge/app/email"
	"gatelodge/app/fault"
	"gatelodge/app/mail/deliver"
	"gatelodge/app/mail/outbox"
	"gatelodge/app/session"
	"gatelodge/web/shell"
)

func (s adminPages) trialPage(q *shell.Request, cur session.Current) AdminTestPage {
	return AdminTestPage{Layout: s.personal(q, cur.User), Captured: s.Outbox.Capture, Email: cur.User.Email}
}

func (s adminPages) getAdminTest(q *shell.Request) error {
	cur := q.Current
	return q.Render(http.StatusOK, "admin-test.html", s.trialPage(q, cur))
}

// postAdminTest sends a test mail and shows the conversation with the server.
func (s adminPages) postAdminTest(q *shell.Request) error {
	cur := q.Current
	page := s.trialPage(q, cur)
	page.Email = q.PostForm.Get("email")
	to, err := email.Normal(page.Email)
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		page.Problem = q.Say(f)
		return q.Refuse(f, "admin-test.html", page)
	}
	if err != nil {
		return err
	}
	result, err := s.Outbox.Try(q.Context(), q.From(), to, q.Printer().Tag(), func(step deliver.Step) { page.Steps = append(page.Steps, stepLines(step)...) })
	if errors.Is(err, outbox.ErrCaptured) {
		return q.Render(http.StatusOK, "admin-test.html", page)
	}
	if err != nil {
		return err
	}
	page.Accepted = result.Class == deliver.Sent
	if !page.Accepted {
		page.Answer = strings.Join(strings.Fields(strings.TrimPrefix(fmt.Sprint(result.Code, " ", result.Enhanced, " ", result.Text), "0 ")), " ")
	}
	return q.Render(http.StatusOK, "admin-test.html", page)
}

// stepLines are the lines of one step, each with who said it.
func stepLines(step deliver.Step) []string {
	var lines []string
	for _, said := range []struct{ mark, text string }{{"  ", step.Note}, {"> ", step.Sent}, {"< ", step.Received}} {
		for line := range strings.Lines(said.text) {
			lines = append(lines, fmt.Sprintf("%6.3fs %s%s", step.At.Seconds(), said.mark, strings.TrimRight(line, "\r\n")))
		}
	}
	return lines
}
