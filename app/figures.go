package app

import (
	"context"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/factor"
	"gatelodge/app/mail/queue"
	"gatelodge/app/metrics"
	"gatelodge/store"
)

// figures are what the house counts. They begin anew with each start.
type figures struct {
	mail    *metrics.Counters
	took    *metrics.Times
	signIns *metrics.Counters
}

func newFigures() figures {
	return figures{
		mail: metrics.New("gatelodge_mail_attempts_total", "Attempts to send a mail, by class, how they ended, and how the connection was protected.", "class", "result", "tls"),
		took: metrics.NewTimes("gatelodge_mail_signin_seconds", "From the request for a sign-in mail until a server took it.",
			0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800),
		signIns: metrics.New("gatelodge_signins_total", "Sign-ins, by way and how they ended.", "way", "result"),
	}
}

// mailEnded counts how an attempt ended, so long after the mail was asked for.
func (f *figures) mailEnded(w store.Work, r store.Report, took time.Duration) {
	tls, result := r.TLS, r.State
	if tls == "" {
		tls = "none"
	}
	if result == "queued" {
		result = "deferred"
	}
	f.mail.Add(queue.ClassName(w.Class), result, tls)
	if w.Class == queue.ClassSignIn && r.State == "sent" {
		f.took.Add(took.Seconds())
	}
}

// happened counts the events that are about signing in. The detail of a refusal is
// the key of a sentence, which begins with what it is about.
func (f *figures) happened(kind, detail string) {
	switch kind {
	case audit.SignedIn:
		f.signIns.Add(detail, "done")
	case audit.LinkAsked:
		f.signIns.Add(string(factor.Email), "asked")
	case audit.LinkLimited:
		f.signIns.Add(string(factor.Email), "limited")
	case audit.PasswordLimited:
		f.signIns.Add(string(factor.Password), "limited")
	case audit.SetUpRefused:
		f.signIns.Add(string(factor.SetUp), "refused")
	case audit.SignInRefused:
		about, _, _ := strings.Cut(detail, ".")
		way, ok := map[string]factor.Means{"password": factor.Password, "code": factor.Email, "link": factor.Email}[about]
		if !ok {
			way = "other"
		}
		f.signIns.Add(string(way), "refused")
	}
}

// WriteMetrics writes the house's figures for Prometheus.
func (a *App) WriteMetrics(ctx context.Context, to io.Writer) error {
	var depths []store.QueueDepth
	err := a.DB.View(ctx, func(tx *store.Tx) (err error) {
		depths, err = tx.QueueDepths()
		return err
	})
	if err != nil {
		return err
	}
	var w metrics.Writer
	if info, ok := debug.ReadBuildInfo(); ok {
		w.Family("gatelodge_build_info", "gauge", "The version.")
		w.Sample("gatelodge_build_info", 1, "version", info.Main.Version)
	}
	w.Counters(a.figures.mail)
	w.Times(a.figures.took)
	a.writeQueue(&w, depths)
	w.Counters(a.figures.signIns)
	const checks = "gatelodge_session_checks_total"
	w.Family(checks, "counter", "Checks of a session, by whether there was one.")
	w.Sample(checks, float64(a.Sessions.Live.Load()), "result", "live")
	w.Sample(checks, float64(a.Sessions.None.Load()), "result", "none")
	w.Process()
	_, err = w.WriteTo(to)
	return err
}

// writeQueue writes what waits: a class of which nothing does is told too, since
// nobody draws a line through points that are not there.
func (a *App) writeQueue(w *metrics.Writer, depths []store.QueueDepth) {
	const depth, oldest, down = "gatelodge_mail_queue", "gatelodge_mail_queue_oldest_seconds", "gatelodge_mail_way_down"
	waiting, since := map[[2]string]int{}, map[string]time.Time{}
	for _, d := range depths {
		class := queue.ClassName(d.Class)
		waiting[[2]string{class, d.State}] = d.Messages
		if at, ok := since[class]; d.State != "held" && (!ok || d.OldestAt.Before(at)) {
			since[class] = d.OldestAt
		}
	}
	w.Family(depth, "gauge", "Mail that waits, by class and state.")
	for _, class := range queue.ClassNames() {
		for _, state := range []string{"queued", "leased", "held"} {
			w.Sample(depth, float64(waiting[[2]string{class, state}]), "class", class, "state", state)
		}
	}
	w.Family(oldest, "gauge", "How long the oldest mail has waited that is to be sent, by class.")
	for _, class := range queue.ClassNames() {
		age := time.Duration(0)
		if at, ok := since[class]; ok {
			age = max(0, a.Now().Sub(at))
		}
		w.Sample(oldest, age.Seconds(), "class", class)
	}
	w.Family(down, "gauge", "Whether the smarthost cannot be used now.")
	value := 0.0
	if a.Queue.Way().Down || a.Queue.Standby().Down {
		value = 1
	}
	w.Sample(down, value)
}
