package config_test

import (
	"strings"
	"testing"

	"gatelodge/app/config"
)

func TestTLSOfTheSubmissionListener(t *testing.T) {
	tests := map[string]string{ // to a part of the error, "" for none
		"listen = \"127.0.0.1:465\"\ntls = \"implicit\"": "",
		"listen = \"127.0.0.1:587\"\ntls = \"starttls\"": "",
		"listen = \"127.0.0.1:587\"":                     "",
		"listen = \"127.0.0.1:465\"":                     `set mail.submission.tls = "implicit"`,
		"listen = \"127.0.0.1:587\"\ntls = \"none\"":     "mail.submission.tls",
	}
	for text, want := range tests {
		_, err := config.Load(config.Source{File: file(t, "[mail.submission]\n"+text+"\n")})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}
