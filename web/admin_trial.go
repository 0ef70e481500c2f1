package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"gatelodge/app/audit"
	"gatelodge/app/email"
	"gatelodge/app/fault"
	"gatelodge/app/mail/deliver"
	"gatelodge/app/mail/outbox"
	"gatelodge/app/session"
)

func (s *Server) trialPage(r *http.Request, cur session.Current) AdminTestPage {
	return AdminTestPage{Layout: s.personal(r, cur.User), Captured: s.Outbox.Capture, Email: cur.User.Email}
}

func (s *Server) getAdminTest(w http.ResponseWriter, r *http.Request) error {
	return s.admin(w, r, func(cur session.Current) error {
		return s.render(w, r, http.StatusOK, "admin-test.html", s.trialPage(r, cur))
	})
}

// postAdminTest sends a test mail and shows the conversation with the server.
func (s *Server) postAdminTest(w http.ResponseWriter, r *http.Request) error {
	return s.adminFresh(w, r, adminMail+"/test", func(cur session.Current) error {
		page := s.trialPage(r, cur)
		page.Email = r.PostForm.Get("email")
		to, err := email.Normal(page.Email)
		if f, ok := errors.AsType[*fault.Fault](err); ok {
			s.refused(r, f)
			page.Problem = s.say(s.printer(r), f, "")
			return s.render(w, r, statusOf(f), "admin-test.html", page)
		}
		if err != nil {
			return err
		}
		result, err := s.Outbox.Try(r.Context(), to, s.printer(r).Tag(), func(step deliver.Step) { page.Steps = append(page.Steps, stepLines(step)...) })
		if errors.Is(err, outbox.ErrCaptured) {
			return s.render(w, r, http.StatusOK, "admin-test.html", page)
		}
		if err != nil {
			return err
		}
		s.Audit.Note(s.from(r), audit.MailChanged, audit.ByUser, cur.User.ID, "test")
		page.Accepted = result.Class == deliver.Sent
		if !page.Accepted {
			page.Answer = strings.Join(strings.Fields(strings.TrimPrefix(fmt.Sprint(result.Code, " ", result.Enhanced, " ", result.Text), "0 ")), " ")
		}
		return s.render(w, r, http.StatusOK, "admin-test.html", page)
	})
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
