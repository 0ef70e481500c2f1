package line

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"
)

// PrintJSON prints v for scripts.
func (c *Call) PrintJSON(v any) error {
	enc := json.NewEncoder(c.Out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// Table begins a table with its heads, which are divided by tabs as its cells
// are. Flush it.
func (c *Call) Table(heads string) *tabwriter.Writer {
	w := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, heads)
	return w
}

// Stamp is how moments stand in tables.
func Stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// Dash stands for what there is none of.
func Dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// Yes says a fact.
func Yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// Count says a number of things.
func Count(n int, one, other string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, other)
}
