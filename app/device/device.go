// Package device names a browser from its User-Agent the way its owner would:
// "Firefox on Linux". It is a label for a list, never a decision.
package device

import "strings"

// Unknown is the label of a program that does not say what it is.
const Unknown = "Unknown device"

// maxUserAgent bounds the work; real ones are below 300 bytes.
const maxUserAgent = 512

// The order matters: most browsers also claim to be Chrome and Safari.
var browsers = []struct{ mark, name string }{
	{"Edg/", "Edge"},
	{"EdgA/", "Edge"},
	{"EdgiOS/", "Edge"},
	{"OPR/", "Opera"},
	{"Vivaldi/", "Vivaldi"},
	{"SamsungBrowser/", "Samsung Internet"},
	{"Firefox/", "Firefox"},
	{"FxiOS/", "Firefox"},
	{"CriOS/", "Chrome"},
	{"HeadlessChrome/", "Chrome"},
	{"Chromium/", "Chromium"},
	{"Chrome/", "Chrome"},
	{"Safari/", "Safari"},
	{"curl/", "curl"},
	{"Wget/", "Wget"},
	{"Go-http-client/", "a Go program"},
	{"python-requests/", "a Python program"},
	{"Python-urllib/", "a Python program"},
	{"node", "a Node program"},
}

var systems = []struct{ mark, name string }{
	{"iPhone", "iPhone"},
	{"iPad", "iPad"},
	{"Android", "Android"},
	{"CrOS", "ChromeOS"},
	{"Windows", "Windows"},
	{"Macintosh", "Mac"},
	{"Mac OS X", "Mac"},
	{"FreeBSD", "FreeBSD"},
	{"OpenBSD", "OpenBSD"},
	{"Linux", "Linux"},
}

// Label returns the name of the browser and system in a User-Agent.
func Label(userAgent string) string {
	if len(userAgent) > maxUserAgent {
		userAgent = userAgent[:maxUserAgent]
	}
	browser, system := "", ""
	for _, b := range browsers {
		if strings.Contains(userAgent, b.mark) {
			browser = b.name
			break
		}
	}
	for _, s := range systems {
		if strings.Contains(userAgent, s.mark) {
			system = s.name
			break
		}
	}
	switch {
	case browser != "" && system != "":
		return browser + " on " + system
	case browser != "":
		return browser
	case system != "":
		return system
	}
	return Unknown
}

// Phone reports whether a label names something held in the hand.
func Phone(label string) bool {
	return strings.HasSuffix(label, "iPhone") || strings.HasSuffix(label, "Android")
}
