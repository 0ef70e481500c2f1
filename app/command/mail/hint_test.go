package mail

import (
	"strings"
	"testing"

	"gatelodge/app/mail/deliver"
)

// Each cause had the hint to check the password.
func TestTheHintNamesTheCause(t *testing.T) {
	for word, r := range map[string]deliver.Result{
		"STARTTLS":      {Class: deliver.Paused, Stage: deliver.AtTLS},
		"PLAIN":         {Class: deliver.Paused, Stage: deliver.AtAuth},
		"password_file": {Class: deliver.Paused, Stage: deliver.AtFrom, Code: 530},
		"our login":     {Class: deliver.Paused, Stage: deliver.AtAuth, Code: 535},
		"TLS 1.2":       {Class: deliver.Temporary, Stage: deliver.AtTLS},
		"host, port":    {Class: deliver.Temporary, Stage: deliver.AtConnect},
	} {
		if hint := (&notAccepted{r: r}).Hint(); !strings.Contains(hint, word) {
			t.Errorf("%+v: the hint %q does not name %s", r, hint, word)
		}
	}
}
