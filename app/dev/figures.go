package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// row is a line of the table. Measured has {metric} where a benchmark's metric
// stands.
type row struct {
	what     string
	measured string
	bench    benchmark
}

// rows are the figures that benchmarks report. Several rows share one run.
var rows = []row{
	{
		"session check at an App, opaque cookie, 32 connections",
		"{opaque/s} requests/s, **{opaque/bare}** of bare; **{opaque-cpu/bare}** times its processor time; p99 {opaque-p99/bare} times", sessionAPI,
	},
	{
		"the same with an encrypted cookie",
		"{encrypted/s} requests/s, **{encrypted/bare}** of bare; **{encrypted-cpu/bare}** times its processor time; p99 {encrypted-p99/bare} times", sessionAPI,
	},
	{
		"the same by `@auth/core` on Node with its sessions in SQLite",
		"{authcore/s} requests/s, **{authcore/bare}** of bare; **{authcore-cpu/bare}** times its processor time", sessionAPI,
	},
	{
		"session check while 8 clients try wrong passwords",
		"p99 {p99-µs} µs, quiet {quiet-p99-µs}: **{p99-times-quiet}** times; memory grows by {grew-MiB} MiB of {may-grow-MiB} allowed", flood("wrong/8"),
	},
	{
		"the same with 32 clients",
		"p99 {p99-µs} µs, quiet {quiet-p99-µs}: **{p99-times-quiet}** times; memory grows by {grew-MiB} MiB of {may-grow-MiB} allowed", flood("wrong/32"),
	},
	{
		"password sign-ins, 8 clients",
		"{sign-ins/s} a second, **{of-allowed}** of what argon2id alone does in the slots there are",
		benchmark{"./web/e2e", "PasswordSignIns", "1x"},
	},
	{"opening the encrypted cookie of next-auth v5", "{ns/op} ns", benchmark{"./app/apps/authjs", "Open", "1s"}},
	{"writing a sign-in mail and signing it twice", "{ns/op} ns", benchmark{"./app/mail/peers", "ComposeAndSign", "1s"}},
}

var sessionAPI = benchmark{"./web/e2e", "SessionAPI", "1x"}

func flood(kind string) benchmark { return benchmark{"./web/e2e", "PasswordFlood/" + kind, "1x"} }

// figures measures the program that the working directory's source makes, and
// writes the table of the guide. Nothing else should use the machine meanwhile.
func figures(ctx context.Context, w io.Writer) error {
	dir, err := os.MkdirTemp("", "gatelodge-figures-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "gatelodge")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, ".")
	build.Env, build.Stderr = append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("building the program: %w", err)
	}
	binary, err := os.Stat(path)
	if err != nil {
		return err
	}

	fmt.Fprintf(w, "Measured on %s with %s, %d hardware threads (%s), which also made the load.\nRatios hold within one run. *Bare* is a net/http handler that answers 200 with the same\nheaders and body.\n\n",
		time.Now().Format("2 January 2006"), runtime.Version(), runtime.NumCPU(), processorName())
	fmt.Fprintf(w, "| what | measured | by |\n| --- | --- | --- |\n")
	line := func(what, measured, by string) { fmt.Fprintf(w, "| %s | %s | %s |\n", what, measured, by) }

	line("the binary, static and stripped, pages included", fmt.Sprintf("%.1f MB", float64(binary.Size())/1e6), "`go build` as in the README")
	p, err := startUps(ctx, path, dir)
	if err != nil {
		return err
	}
	line("start to ready, the process's own start included", fmt.Sprintf("%.1f ms with a new data directory, %.1f ms with data", ms(p.empty), ms(p.filled)), "`go tool dev figures`, median of 9")
	line("memory: private (RssAnon), and with the mapped binary (VmRSS)",
		fmt.Sprintf("%.1f and %.1f MiB idle; %.1f and %.1f MiB after %d sign-in pages over 32 connections", mib(p.idle.private), mib(p.idle.all), mib(p.loaded.private), mib(p.loaded.all), pages), "`go tool dev figures`")

	done := make(map[benchmark]metrics)
	for _, r := range rows {
		m, ok := done[r.bench]
		if !ok {
			if m, err = r.bench.run(ctx); err != nil {
				return err
			}
			done[r.bench] = m
		}
		text, err := m.fill(r.measured)
		if err != nil {
			return fmt.Errorf("%s: %w", r.bench.name, err)
		}
		line(r.what, text, "`"+strings.Join(r.bench.command(), " ")+"`")
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func mib(kib int) float64 { return float64(kib) / 1024 }

// processorName returns the model of the first processor, where /proc names it.
func processorName() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	_, name, _ := strings.Cut(string(text), "model name")
	name, _, _ = strings.Cut(name, "\n")
	return cmp.Or(strings.TrimLeft(name, "\t :"), runtime.GOARCH)
}
