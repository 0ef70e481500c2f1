package app

import (
	"context"
	"io"
	"runtime/debug"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/factor"
	"gatelodge/app/mail/queue"
	"gatelodge/app/metrics"
	"gatelodge/store"
)

// counters count what the server does. They begin at zero with each start.
type counters struct {
	mail    *metrics.Counters
	took    *metrics.Times
	signIns *metrics.Counters
}

func newCounters() counters {
	return counters{
		mail: metrics.New("gatelodge_mail_attempts_total", "Attempts to send a mail, by class, how they ended, and how the connection was protected.", "class", "result", "tls"),
		took: metrics.NewTimes("gatelodge_mail_signin_seconds", "From the request for a sign-in mail until a server took it.",
			0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800),
		signIns: metrics.New("gatelodge_signins_total", "Sign-ins, by method and how they ended.", "way", "result"),
	}
}

// countAttempt counts an attempt to send a mail, and how long after the request a
// sign-in mail was sent.
func (c *counters) countAttempt(w store.Work, r store.Report, took time.Duration) {
	tls, result := r.TLS, r.State
	if tls == "" {
		tls = "none"
	}
	if result == "queued" {
		result = "deferred"
	}
	c.mail.Add(queue.ClassName(w.Class), result, tls)
	if w.Class == queue.ClassSignIn && r.State == "sent" {
		c.took.Add(took.Seconds())
	}
}

// countEvent counts the events that are about signing in.
func (c *counters) countEvent(e audit.Event) {
	switch e.Kind {
	case audit.SignedIn:
		c.signIns.Add(e.Means.String(), "done")
	case audit.SignInRefused:
		c.signIns.Add(e.Means.String(), "refused")
	case audit.SetUpRefused:
		c.signIns.Add(string(factor.SetUp), "refused")
	case audit.LinkAsked:
		c.signIns.Add(string(factor.Email), "asked")
	case audit.LinkLimited:
		c.signIns.Add(string(factor.Email), "limited")
	case audit.PasswordLimited:
		c.signIns.Add(string(factor.Password), "limited")
	}
}

// WriteMetrics writes the counters and gauges in the text format of Prometheus.
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
	w.Counters(a.counters.mail)
	w.Times(a.counters.took)
	a.writeQueue(&w, depths)
	w.Counters(a.counters.signIns)
	const checks = "gatelodge_session_checks_total"
	w.Family(checks, "counter", "Checks of a session, by whether there was one.")
	w.Sample(checks, float64(a.Sessions.Live.Load()), "result", "live")
	w.Sample(checks, float64(a.Sessions.None.Load()), "result", "none")
	w.Process()
	_, err = w.WriteTo(to)
	return err
}

// writeQueue writes what the mail queue holds. A class with nothing in the queue is
// written too: a graph needs its zeros.
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
