package deliver

import (
	"encoding/base64"
	"slices"
	"strings"
)

// login proves who we are by the best means the server offers: PLAIN (RFC
// 4616), else LOGIN. ok is false when it offers neither.
func (c *conversation) login(user, password string) (r reply, ok bool, err error) {
	means := strings.Fields(strings.ToUpper(c.offers["AUTH"]))
	switch {
	case slices.Contains(means, "PLAIN"):
		secret := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
		r, err = c.command("AUTH PLAIN "+secret, "AUTH PLAIN (user "+user+", password hidden)", c.limits.Command)
		if err == nil && r.code == 334 {
			// A server that wants the secret on a line of its own.
			r, err = c.command(secret, "(user and password hidden)", c.limits.Command)
		}
		return r, true, err
	case slices.Contains(means, "LOGIN"):
		r, err = c.command("AUTH LOGIN", "", c.limits.Command)
		for _, line := range []struct{ text, shown string }{{user, "(user " + user + ")"}, {password, "(password hidden)"}} {
			if err != nil || r.code != 334 {
				break
			}
			r, err = c.command(base64.StdEncoding.EncodeToString([]byte(line.text)), line.shown, c.limits.Command)
		}
		return r, true, err
	}
	return reply{}, false, nil
}
