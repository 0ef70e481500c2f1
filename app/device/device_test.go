package device_test

import (
	"strings"
	"testing"

	"gatelodge/app/device"
)

func TestLabel(t *testing.T) {
	tests := map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                           "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0":    "Edge on Windows",
		"Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36":            "Chrome on Android",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/605.1.15":            "Safari on Mac",
		"curl/8.14.1": "curl",
		"":            device.Unknown,
		"<script>":    device.Unknown,
	}
	for agent, want := range tests {
		if got := device.Label(agent); got != want {
			t.Errorf("%q: got %q, want %q", agent, got, want)
		}
	}
	if got := device.Label(strings.Repeat("x", 10_000) + "Firefox/1"); got != device.Unknown {
		t.Errorf("a name far behind is read: %q", got)
	}
	if !device.Phone("Safari on iPhone") || device.Phone("Firefox on Linux") {
		t.Error("phones are not told from others")
	}
}
