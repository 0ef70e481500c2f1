package line

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
)

const (
	// listBuffer is how much of a list waits to be written.
	listBuffer = 32 << 10
	// alignedRows is how many rows of a table are aligned together.
	alignedRows = 500
)

// List prints rows as they are read, so that the memory it takes does not grow with
// their number. With -json it prints an array, else a table, whose columns are aligned
// for some hundred rows at a time.
type List struct {
	out    *bufio.Writer
	table  *tabwriter.Writer // nil for JSON
	indent string            // of the array's elements
	end    string
	rows   int
}

// List begins a list. The heads of its columns are divided by tabs.
func (c *Call) List(heads string) (*List, error) {
	l := &List{out: bufio.NewWriterSize(c.Out, listBuffer), indent: "  ", end: "]\n"}
	if c.Bool("json") {
		_, err := l.out.WriteString("[")
		return l, err
	}
	return l, l.head(heads)
}

// ListIn begins a list that -json prints as the last member, name, of the object of.
func (c *Call) ListIn(of any, name, heads string) (*List, error) {
	l := &List{out: bufio.NewWriterSize(c.Out, listBuffer), indent: "    ", end: "]\n}\n"}
	if !c.Bool("json") {
		return l, l.head(heads)
	}
	object, err := indented(of, "")
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(l.out, "%s,\n  %q: [", strings.TrimSuffix(object, "\n}"), name)
	return l, err
}

func (l *List) head(heads string) error {
	l.table = tabwriter.NewWriter(l.out, 0, 0, 2, ' ', 0)
	_, err := fmt.Fprintln(l.table, heads)
	return err
}

// Add prints a row: v for scripts, or its cells.
func (l *List) Add(v any, cells ...string) error {
	l.rows++
	if l.table != nil {
		_, err := fmt.Fprintln(l.table, strings.Join(cells, "\t"))
		if err != nil || l.rows%alignedRows != 0 {
			return err
		}
		return l.table.Flush()
	}
	text, err := indented(v, l.indent)
	if err != nil {
		return err
	}
	between := ","
	if l.rows == 1 {
		between = ""
	}
	_, err = fmt.Fprintf(l.out, "%s\n%s%s", between, l.indent, text)
	return err
}

// Close prints what is left and the end of the list.
func (l *List) Close() error {
	if l.table != nil {
		if err := l.table.Flush(); err != nil {
			return err
		}
		return l.out.Flush()
	}
	if l.rows > 0 {
		if _, err := l.out.WriteString("\n" + strings.TrimPrefix(l.indent, "  ")); err != nil {
			return err
		}
	}
	if _, err := l.out.WriteString(l.end); err != nil {
		return err
	}
	return l.out.Flush()
}

// indented returns v as PrintJSON prints it, its further lines behind prefix.
func indented(v any, prefix string) (string, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetIndent(prefix, "  ")
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSuffix(text.String(), "\n"), err
}
