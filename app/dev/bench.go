package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// benchmark is one Go benchmark and how long it runs.
type benchmark struct {
	pkg  string
	name string // as in "PasswordFlood/wrong/8"
	long string // for -benchtime
}

// command returns the command line that runs it.
func (b benchmark) command() []string {
	var each []string
	for part := range strings.SplitSeq("Benchmark"+b.name, "/") {
		each = append(each, "^"+part+"$")
	}
	return []string{"go", "test", "-run", "^$", "-bench", strings.Join(each, "/"), "-benchtime", b.long, b.pkg}
}

func (b benchmark) run(ctx context.Context) (metrics, error) {
	args := b.command()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return readMetrics(out)
}

// metrics are what one benchmark reported, by unit.
type metrics map[string]float64

// readMetrics reads the line of a benchmark's result: its name, the number of
// runs, and pairs of a value and a unit.
func readMetrics(out []byte) (metrics, error) {
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		m := make(metrics)
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("reading %q: %w", lines.Text(), err)
			}
			m[fields[i+1]] = value
		}
		return m, nil
	}
	return nil, fmt.Errorf("no result in\n%s", out)
}

var placeholder = regexp.MustCompile(`\{[^}]+\}`)

// fill puts the metrics into the text. A metric that was not reported is an error.
func (m metrics) fill(text string) (string, error) {
	var missing error
	filled := placeholder.ReplaceAllStringFunc(text, func(name string) string {
		value, ok := m[name[1:len(name)-1]]
		if !ok {
			missing = fmt.Errorf("no metric %s", name)
		}
		return short(value)
	})
	return filled, missing
}

// short writes a value with three significant digits, and never as 1.2e+04.
func short(value float64) string {
	switch {
	case value >= 1000:
		return strconv.Itoa(int(value+5) / 10 * 10)
	case value >= 100:
		return strconv.FormatFloat(value, 'f', 0, 64)
	case value >= 10:
		return strconv.FormatFloat(value, 'f', 1, 64)
	case value >= 0.1:
		return strconv.FormatFloat(value, 'f', 2, 64)
	}
	return strconv.FormatFloat(value, 'f', 4, 64)
}
