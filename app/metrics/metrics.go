// Package metrics counts what happens and writes the counts in the text form that
// Prometheus and its kin read (exposition format 0.0.4).
//
// No label may hold anything about a person: not an address, a name, a network or
// an id. Labels are words of our own, of which there are few.
package metrics

import (
	"bytes"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Counters are one figure that only grows, by the values of its labels.
type Counters struct {
	name, help string
	labels     []string

	mu     sync.Mutex
	counts map[string]uint64 // by the values, joined
}

// most is how many combinations of values are counted separately; others count as one. It
// is a dam against a label that turns out to have more values than was thought.
const most = 500

// New returns counters of that name, which ends in "_total".
func New(name, help string, labels ...string) *Counters {
	return &Counters{name: name, help: help, labels: labels, counts: make(map[string]uint64)}
}

const between = "\x00"

// Add counts one, for values in the order of the labels. nil counts nothing.
func (c *Counters) Add(values ...string) {
	if c == nil {
		return
	}
	key := strings.Join(values, between)
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.counts[key]; !ok && len(c.counts) >= most {
		key = strings.Join(slices.Repeat([]string{"other"}, len(c.labels)), between)
	}
	c.counts[key]++
}

// Times is a figure of how long something took.
type Times struct {
	name, help string
	bounds     []float64 // seconds

	mu     sync.Mutex
	counts []uint64 // up to each bound; the last is of all beyond
	sum    float64
}

// NewTimes returns times of that name, which ends in "_seconds".
func NewTimes(name, help string, bounds ...float64) *Times {
	return &Times{name: name, help: help, bounds: bounds, counts: make([]uint64, len(bounds)+1)}
}

// Add counts one that took so many seconds. nil counts nothing.
func (t *Times) Add(seconds float64) {
	if t == nil {
		return
	}
	i, _ := slices.BinarySearch(t.bounds, seconds)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[i]++
	t.sum += seconds
}

// Writer writes metrics.
type Writer struct{ b bytes.Buffer }

// WriteTo writes what was put together so far to w.
func (w *Writer) WriteTo(to io.Writer) (int64, error) { return w.b.WriteTo(to) }

// Family begins a figure: its kind is "counter", "gauge" or "histogram".
func (w *Writer) Family(name, kind, help string) {
	w.b.WriteString("# HELP " + name + " " + help + "\n# TYPE " + name + " " + kind + "\n")
}

// Sample writes one value of the figure, with pairs of label and value.
func (w *Writer) Sample(name string, value float64, pairs ...string) {
	w.b.WriteString(name)
	for i := 0; i+1 < len(pairs); i += 2 {
		w.b.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
		w.b.WriteString(pairs[i] + `="` + escaped.Replace(pairs[i+1]) + `"`)
	}
	if len(pairs) > 1 {
		w.b.WriteString("}")
	}
	w.b.WriteString(" " + number(value) + "\n")
}

var escaped = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func number(v float64) string {
	if math.IsInf(v, 1) {
		return "+Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// Counters writes counters, in the order of their values.
func (w *Writer) Counters(c *Counters) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Family(c.name, "counter", c.help)
	keys := make([]string, 0, len(c.counts))
	for key := range c.counts {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		var pairs []string
		for i, value := range strings.Split(key, between) {
			pairs = append(pairs, c.labels[i], value)
		}
		w.Sample(c.name, float64(c.counts[key]), pairs...)
	}
}

// Times writes times as a histogram.
func (w *Writer) Times(t *Times) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w.Family(t.name, "histogram", t.help)
	all := uint64(0)
	for i, n := range t.counts {
		all += n
		bound := math.Inf(1)
		if i < len(t.bounds) {
			bound = t.bounds[i]
		}
		w.Sample(t.name+"_bucket", float64(all), "le", number(bound))
	}
	w.Sample(t.name+"_sum", t.sum)
	w.Sample(t.name+"_count", float64(all))
}
