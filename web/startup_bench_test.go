package web_test

import (
	"testing"

	"gatelodge/app"
	"gatelodge/app/config"
)

// BenchmarkOpen opens a server that exists: what a start costs before it serves.
func BenchmarkOpen(b *testing.B) {
	c := config.Default()
	c.DataDir = b.TempDir()
	for b.Loop() {
		a, err := app.Open(b.Context(), &c, app.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := a.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
