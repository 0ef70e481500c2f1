package main

import "testing"

func TestMeasurementsAreReadFromTheBenchmark(t *testing.T) {
	m, err := readMetrics([]byte("goos: linux\nBenchmarkSessionAPI/a-2 \t 1 \t 0 ns/op\t 0.774 opaque/bare\t 36712 opaque/s\nPASS\n"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.fill("{opaque/s} requests/s, {opaque/bare} of bare")
	if want := "36710 requests/s, 0.77 of bare"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if _, err := m.fill("{p99}"); err == nil {
		t.Error("a figure that nothing measured was printed")
	}
	if _, err := readMetrics([]byte("PASS\nok gatelodge/web 0.1s\n")); err == nil {
		t.Error("a run without a result was read")
	}
}
