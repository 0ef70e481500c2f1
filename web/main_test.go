package web_test

import (
	"os"
	"runtime/debug"
	"testing"
)

func TestMain(m *testing.M) {
	// Hundreds of houses are opened and forgotten: a tenth of the time went into
	// collecting them.
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}
