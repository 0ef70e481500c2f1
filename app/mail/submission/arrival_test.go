package submission

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A slow mail arrives as long as more of it comes; one that stops, or never ends, does
// not keep its place.
func TestSlowMailArrives(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		every time.Duration
		parts int
		whole bool
	}{
		"longer than the wait for one part": {4 * time.Minute, 6, true},
		"a part that does not come":         {stepWithin + time.Second, 1, false},
		"no end":                            {4 * time.Minute, 8, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				app, conn := net.Pipe()
				var writing sync.WaitGroup
				writing.Go(func() {
					defer app.Close()
					for range tt.parts {
						time.Sleep(tt.every)
						if _, err := io.WriteString(app, "part\r\n"); err != nil {
							return
						}
					}
				})
				raw, err := io.ReadAll(arriving(conn, conn))
				if (err == nil) != tt.whole || !tt.whole && !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%d bytes, %v", len(raw), err)
				}
				conn.Close()
				writing.Wait()
			})
		})
	}
}
