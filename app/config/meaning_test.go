package config_test

import (
	"strings"
	"testing"

	"gatelodge/app/config"
)

// TestSettingsOfOtherProgramsLeadToOurs writes what people bring from other programs.
func TestSettingsOfOtherProgramsLeadToOurs(t *testing.T) {
	for text, want := range map[string]string{
		"[mail]\nhost = \"smtp.example.com\"":      "mail.smarthost.url",
		"[mail]\nusername = \"me\"":                "mail.smarthost.url",
		"[mail]\nport = 587":                       "mail.smarthost.url",
		"[mail]\nmode = \"smtp\"":                  "mail.smarthost.url",
		"[mail.smtp]\nhost = \"smtp.example.com\"": "mail.smarthost.url",
		"[smtp]\nhost = \"x\"\nport = 25":          "mail.smarthost.url",
		"[mail.smarthost]\nhost = \"x\"":           "mail.smarthost.url",
		"port = 8080":                              "did you mean listen?",
		"base_url = \"https://a\"":                 "did you mean public_url?",
		"database_url = \"postgres://\"":           "did you mean database?",
		"[database]\nurl = \"postgres://\"":        "database",
		"[signup]\nenabled = true":                 "did you mean signup.mode?",
		"[session]\ntimeout = \"1h\"":              "did you mean session.lifetime?",
		"[google]\nclient_id = \"x\"":              "[[upstream]]",
		"[oidc.google]\nclient_id = \"x\"":         "[[upstream]]",
		"[[clients]]\nid = \"x\"":                  "[[app]]",
	} {
		if _, err := config.Load(config.Source{File: file(t, text)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want it to name %s", text, err, want)
		}
	}
	_, err := config.Load(config.Source{Env: []string{"GATELODGE_MAIL_HOST=x"}})
	if err == nil || !strings.Contains(err.Error(), "mail.smarthost.url") {
		t.Errorf("in the environment: got %v", err)
	}
}
