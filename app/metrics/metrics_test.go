package metrics_test

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatelodge/app/metrics"
)

func TestFiguresAreWrittenAsTheirReadersWant(t *testing.T) {
	mail := metrics.New("mail_total", "Mail.", "class", "result")
	took := metrics.NewTimes("took_seconds", "How long.", 1, 2.5)
	mail.Add("sign-in", "sent")
	mail.Add("notice", `a "quoted" \ word`)
	mail.Add("sign-in", "sent")
	for _, s := range []float64{0.5, 1, 2, 60} {
		took.Add(s)
	}
	var w metrics.Writer
	w.Counters(mail)
	w.Times(took)
	w.Family("depth", "gauge", "Waiting.")
	w.Sample("depth", 3)
	var b strings.Builder
	if _, err := w.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	want := `# HELP mail_total Mail.
# TYPE mail_total counter
mail_total{class="notice",result="a \"quoted\" \\ word"} 1
mail_total{class="sign-in",result="sent"} 2
# HELP took_seconds How long.
# TYPE took_seconds histogram
took_seconds_bucket{le="1"} 2
took_seconds_bucket{le="2.5"} 3
took_seconds_bucket{le="+Inf"} 4
took_seconds_sum 63.5
took_seconds_count 4
# HELP depth Waiting.
# TYPE depth gauge
depth 3
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestALabelWithTooManyValuesIsDammed(t *testing.T) {
	c := metrics.New("x_total", "X.", "a", "b")
	var counting sync.WaitGroup
	for i := range 1000 {
		counting.Go(func() { c.Add(fmt.Sprint(i), "b") })
	}
	counting.Wait()
	var w metrics.Writer
	w.Counters(c)
	var b strings.Builder
	if _, err := w.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "\n"); n > 510 {
		t.Errorf("%d lines", n)
	}
	if !strings.Contains(b.String(), `x_total{a="other",b="other"} 500`) {
		t.Errorf("what came too late is not counted:\n%s", b.String()[len(b.String())-200:])
	}
}

func TestTheProcessIsMeasured(t *testing.T) {
	var w metrics.Writer
	w.Process()
	var b strings.Builder
	if _, err := w.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go_goroutines", "go_memstats_alloc_bytes", "process_cpu_seconds_total", "process_start_time_seconds", "go_gc_cycles_total"} {
		if !regexp.MustCompile(`(?m)^` + name + ` [0-9.e+]+$`).MatchString(b.String()) {
			t.Errorf("%s is not there:\n%s", name, b.String())
		}
	}
}
