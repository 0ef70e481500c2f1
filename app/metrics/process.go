package metrics

import (
	"bytes"
	"os"
	"runtime"
	rt "runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// goFigures are what the Go runtime tells of itself, under the names that its
// dashboards look for.
var goFigures = []struct{ of, name, kind, help string }{
	{"/sched/goroutines:goroutines", "go_goroutines", "gauge", "Goroutines."},
	{"/memory/classes/heap/objects:bytes", "go_memstats_alloc_bytes", "gauge", "Memory in use."},
	{"/memory/classes/total:bytes", "go_memstats_sys_bytes", "gauge", "Memory had from the system."},
	{"/gc/heap/allocs:bytes", "go_memstats_alloc_bytes_total", "counter", "Memory ever taken."},
	{"/gc/cycles/total:gc-cycles", "go_gc_cycles_total", "counter", "Garbage collections."},
}

// started is near enough to when the process was.
var started = time.Now()

// Process writes the metrics of the Go runtime and of the process.
func (w *Writer) Process() {
	samples := make([]rt.Sample, len(goFigures))
	for i, f := range goFigures {
		samples[i].Name = f.of
	}
	rt.Read(samples)
	for i, f := range goFigures {
		if samples[i].Value.Kind() == rt.KindUint64 {
			w.Family(f.name, f.kind, f.help)
			w.Sample(f.name, float64(samples[i].Value.Uint64()))
		}
	}
	w.Family("go_info", "gauge", "The Go version.")
	w.Sample("go_info", 1, "version", runtime.Version())
	if seconds, ok := processorSeconds(); ok {
		w.Family("process_cpu_seconds_total", "counter", "Time on the processors.")
		w.Sample("process_cpu_seconds_total", seconds)
	}
	if resident, ok := residentBytes(); ok {
		w.Family("process_resident_memory_bytes", "gauge", "Memory that is in the machine.")
		w.Sample("process_resident_memory_bytes", resident)
	}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		w.Family("process_open_fds", "gauge", "Open files and connections.")
		w.Sample("process_open_fds", float64(len(open)))
	}
	w.Family("process_start_time_seconds", "gauge", "When it was started.")
	w.Sample("process_start_time_seconds", float64(started.UnixMilli())/1000)
}

// residentBytes is read where Linux tells it.
func residentBytes() (float64, bool) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(bytes.TrimSpace(text)))
	if len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize()), err == nil
}
