//go:build !unix

package metrics

func processorSeconds() (float64, bool) { return 0, false }
