package password

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// collector is the process's own, whoever hashes.
var collector struct {
	sync.Mutex
	hashing int
	percent int         // what to go back to
	limit   int64       // the same
	over    *time.Timer // since nobody hashes
}

// worthCollecting is the memory of a hash, in KiB, from which on it is.
const worthCollecting = 1 << 10

// spare is what everybody else may take while one hashes, in bytes. A collection in the
// middle of a hash is rare then.
const spare = 4 << 20

// hashing runs f, which takes that many bytes at once, and has them collected when
// it is done, before the next takes as many. Else the collector is held back
// meanwhile: to it the memory of a hash is reason enough to run, and it would find
// nothing. What the process has and spare is the limit: where the memory of the last
// hash cannot be taken anew, because something small lies in its middle, it goes back
// to the system before there is more of it.
func hashing(size int64, f func()) {
	hold(size)
	defer release()
	f()
	runtime.GC()
}

func hold(size int64) {
	collector.Lock()
	defer collector.Unlock()
	collector.hashing++
	if collector.hashing == 1 {
		collector.percent = debug.SetGCPercent(-1)
		collector.limit = debug.SetMemoryLimit(-1)
		if collector.over != nil {
			collector.over.Stop()
		}
	}
	debug.SetMemoryLimit(min(inUse()+size+spare, collector.limit))
}

func release() {
	collector.Lock()
	defer collector.Unlock()
	collector.hashing--
	if collector.hashing > 0 {
		return
	}
	debug.SetGCPercent(collector.percent)
	debug.SetMemoryLimit(collector.limit)
	if collector.over == nil {
		collector.over = time.AfterFunc(giveBackAfter, giveBack)
	} else {
		collector.over.Reset(giveBackAfter)
	}
}

// inUse is what the runtime has from the system and uses, in bytes.
func inUse() int64 {
	s := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(s)
	return int64(s[0].Value.Uint64() - s[1].Value.Uint64() - s[2].Value.Uint64())
}

// giveBackAfter is when nobody is expected to hash soon.
const giveBackAfter = 5 * time.Second

// giveBack returns the memory of the last hash to the system.
func giveBack() {
	collector.Lock()
	defer collector.Unlock()
	if collector.hashing == 0 {
		debug.FreeOSMemory()
	}
}
