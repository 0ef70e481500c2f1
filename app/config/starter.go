package config

import (
	"fmt"
	"net/mail"
)

// Starter returns the short configuration that "gatelodge init" writes. It
// loads as it stands; the lines that send mail wait to be filled in.
func Starter(publicURL, email string) (string, error) {
	u, err := parseOrigin(publicURL)
	if err != nil {
		return "", fmt.Errorf("the address %w", err)
	}
	a, err := mail.ParseAddress(email)
	if err != nil || a.Address != email {
		return "", fmt.Errorf("%q is not an email address", email)
	}
	return fmt.Sprintf(`# Gatelodge. "gatelodge config example" shows every setting.
public_url = %q      # what people type; your proxy sends it to listen
listen = "127.0.0.1:8080"
contact = %q

[mail]
mode = "capture"              # "direct" sends by itself; "smarthost" through the server below
from = "Gatelodge <login@%s>"
# [mail.smarthost]
# url = "smtps://user@mail.example.net:465"
# password_file = "smarthost-password"
`, u.String(), email, mailDomain(u.Hostname())), nil
}
