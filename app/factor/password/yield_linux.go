package password

import "golang.org/x/sys/unix"

// yielding is how far a thread that hashes steps back: it gets a tenth of the time of
// one that does not, and all of it when nobody else has anything to do.
const yielding = 10

// yield makes the calling thread give way to the others.
func yield() {
	// Where that is refused the thread hashes as any other would.
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, yielding)
}
