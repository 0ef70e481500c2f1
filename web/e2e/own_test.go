package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
)

const (
	firstPassword  = "crimson ladder over quiet fjord"
	secondPassword = "nine walnuts beneath the awning"
)

// pick chooses an option of a labelled list.
func (b *browser) pick(label, option string) {
	b.t.Helper()
	b.run(chromedp.SetValue(fmt.Sprintf(`//select[@id=//label[normalize-space()=%q]/@for]`, label), option, chromedp.BySearch))
}

// pressIn presses a button of the row or section that holds some words.
func (b *browser) pressIn(words, button string) {
	b.t.Helper()
	b.run(chromedp.Click(fmt.Sprintf(`(//*[(self::li or self::section) and contains(., %q)]//*[(self::button or self::a or self::summary) and normalize-space(text()[1])=%q])[last()]`, words, button), chromedp.BySearch))
}

// Set, used, mistyped, forgotten, changed and removed: with script and without.
func TestTheStoryOfAPassword(t *testing.T) {
	told(t, func(t *testing.T, person func() *browser) {
		h, b, stranger := openServer(t), person(), person()
		h.user(b, "mara@home.example", "Mara Okafor")
		b.sees("Not set")
		b.pressIn("Not set", "Set")
		b.see("Set a password")
		b.accessible("set a password")
		b.fill("New password", "tooshort")
		b.press("Save password")
		b.sees("That has 8 characters.")
		b.accessible("a short password")
		b.fill("New password", "Password12345!!")
		b.press("Save password")
		b.sees("on a list of leaked passwords")
		b.fill("New password", firstPassword)
		b.press("Save password")
		b.see("Your account")
		b.sees("Password saved.")
		b.accessible("account, password set")

		b.press("Sign out")
		b.press("Sign in")
		b.press("Not you?")
		b.see("Sign in")
		b.accessible("sign in")
		b.fill("Email or username", "mara@home.example")
		b.press("Use my password")
		b.see("Enter your password")
		b.accessible("password")
		b.fill("Password", "a guess that is wrong")
		b.press("Sign in")
		b.sees("That account and password do not match.")
		b.accessible("a wrong password")
		if !b.scriptless {
			b.press("Show")
			b.run(chromedp.WaitVisible(`input#password[type="text"]`, chromedp.ByQuery))
		}
		b.fill("Password", firstPassword)
		b.press("Sign in")
		b.see("Your account")

		// A stranger's guesses are slowed; the owner's browser is not.
		stranger.open(h.url + "/signin")
		stranger.fill("Email or username", "mara@home.example")
		stranger.press("Use my password")
		for range 6 {
			stranger.fill("Password", "a guess that is wrong")
			stranger.pressOn("Sign in")
			stranger.see("Enter your password")
		}
		stranger.sees("Too many tries for this account. Try again in 1 minute")
		stranger.accessible("too many tries")

		// Forgotten.
		stranger.press("Forgot password?")
		stranger.see("Choose a new password")
		stranger.accessible("forgot password")
		stranger.fill("Email address", "mara@home.example")
		stranger.press("Email me a link")
		stranger.see("Check your email")
		stranger.accessible("forgot password, mail is on its way")
		reset := h.letter("reset", "mara@home.example").Link
		stranger.open(reset)
		stranger.see("Choose a new password")
		stranger.accessible("reset")
		stranger.fill("New password", "mara@home.example")
		stranger.press("Save password")
		stranger.sees("little more than your name")
		stranger.accessible("reset, refused")
		stranger.fill("New password", secondPassword)
		stranger.press("Save password")
		stranger.sees("Password saved. Every device is signed out.")
		stranger.open(reset)
		stranger.see("This link no longer works")
		stranger.accessible("a used reset link")

		// Signed out by that, back by the new one.
		b.open(h.url + "/account")
		b.sees("You were signed out.")
		b.see("Welcome back")
		b.press("Use my password")
		b.fill("Password", secondPassword)
		b.press("Sign in")
		b.see("Your account")

		// Removed, after a confirmation.
		h.pass(11 * time.Minute)
		b.open(h.url + "/account/password")
		b.see("Confirm it is you")
		b.accessible("confirm it is you")
		b.fill("Password", firstPassword)
		b.press("Confirm")
		b.sees("That account and password do not match.")
		b.accessible("confirm it is you, wrong password")
		b.fill("Password", secondPassword)
		b.press("Confirm")
		b.see("Change your password")
		b.accessible("change your password")
		b.press("Remove password")
		b.press("Yes, remove password")
		b.see("Your account")
		b.sees("Password removed.")
	})
}

// A browser that knows one account, then two, and then none.
func TestTheAccountsOfABrowser(t *testing.T) {
	told(t, func(t *testing.T, person func() *browser) {
		h, b := openServer(t), person()
		h.user(b, "mara@home.example", "Mara Okafor")
		b.press("Sign out")
		b.press("Sign in")
		b.see("Welcome back")
		b.sees("Mara Okafor")
		b.accessible("welcome back, one account")
		h.user(b, "sam@home.example", "")
		b.press("Sign out")
		b.press("Sign in")
		b.see("Welcome back")
		b.sees("other accounts")
		b.accessible("welcome back, two accounts")
		b.press("MOMara Okafor") // her letters stand before her name
		b.see("Check your email")
		b.sees("mara@home.example")
		b.open(h.letter("signin", "mara@home.example").Link)
		b.see("Your account")
		b.sees("Mara Okafor")
		b.press("Sign out")
		b.press("Sign in")
		b.see("Welcome back")
		b.press("Not you?")
		b.see("Sign in")
		b.open(h.url + "/signin")
		b.press("Forget this browser")
		b.see("Sign in")
		b.sees("This browser no longer remembers any account.")
		b.accessible("a browser that was forgotten")
		b.open(h.url + "/signin")
		b.see("Sign in")
	})
}

// Profile, addresses, devices, history, data, and the end.
func TestAnAccountOfOnesOwn(t *testing.T) {
	told(t, func(t *testing.T, person func() *browser) {
		h, b, phone := openServer(t), person(), person()
		phone.look(views[3])
		h.user(b, "mara@home.example", "Mara Okafor")

		b.open(h.url + "/account/profile")
		b.see("Profile")
		b.accessible("profile")
		b.fill("Username", "x")
		b.press("Save")
		b.sees("A username has 2 to 40")
		b.accessible("profile, refused")
		b.fill("Username", "mara")
		b.pick("Theme", "dark")
		b.pick("Time zone", "Asia/Tokyo")
		b.press("Save")
		b.sees("Profile saved.")
		b.pick("Theme", "")
		b.pressOn("Save")
		b.sees("Profile saved.")

		b.open(h.url + "/account/history")
		b.see("Activity")
		b.sees("The profile was changed")
		b.sees(" JST")
		b.accessible("history")

		b.open(h.url + "/account/emails")
		b.see("Email addresses")
		b.fill("New email address", "mara@home.example")
		b.press("Email me a link")
		b.sees("That address is already yours.")
		b.accessible("emails, refused")
		b.fill("New email address", "mara@work.example")
		b.press("Email me a link")
		b.sees("Waiting for confirmation. Open the link we emailed there.")
		b.accessible("emails, one waits")
		phone.open(h.letter("confirm_email", "mara@work.example").Link)
		phone.see("Is this your address?")
		phone.accessible("is this your address")
		phone.press("Yes, add the address")
		phone.see("Sign in")
		phone.sees("Address added.")
		b.open(h.url + "/account/emails")
		b.pressIn("mara@work.example", "Make main")
		b.sees("Main address changed.")
		b.accessible("emails, two")
		b.pressIn("mara@home.example", "Remove")
		b.pressIn("mara@home.example", "Yes, remove")
		b.sees("Address removed.")
		h.pass(time.Second) // what is told next is told later

		// The phone is a new browser, and the mail about it leads somewhere.
		phone.open(h.url + "/signin")
		phone.fill("Email or username", "mara@work.example")
		phone.press("Email me a link and code")
		phone.see("Check your email")
		phone.open(h.letter("signin", "mara@work.example").Link)
		phone.see("Email addresses") // where it was led before
		phone.open(h.url + "/account")
		phone.see("Your account")
		phone.accessible("account, two devices")
		b.open(h.letter("new_device", "mara@work.example").Link)
		b.see("Was this not you?")
		b.accessible("was this not you")
		b.press("Sign out that browser")
		b.see("Choose a new password")
		b.sees("That browser is signed out.")
		b.accessible("choose a new password after that")
		phone.open(h.url + "/account")
		phone.see("Sign in")

		// The old address takes the change back.
		b.open(h.letter("email_changed", "mara@home.example").Link)
		b.see("Undo the change?")
		b.accessible("take the change back")
		b.press("Undo the change")
		b.see("Choose a new password")
		b.open(h.url + "/signin")
		b.fill("Email or username", "mara@home.example")
		b.press("Email me a link and code")
		b.see("Check your email")
		b.open(h.letter("signin", "mara@home.example").Link)
		b.see("Your account")

		// One device signs out the other.
		h.pass(11 * time.Minute)
		phone.open(h.url + "/signin")
		phone.fill("Email or username", "mara@home.example")
		phone.press("Email me a link and code")
		phone.see("Check your email")
		phone.open(h.letter("signin", "mara@home.example").Link)
		phone.see("Your account")
		phone.pressIn("Chrome on Linux", "Sign out")
		phone.sees("Device signed out.")
		b.open(h.url + "/account")
		b.see("Welcome back")
		b.sees("You were signed out.")

		phone.look(views[0])
		takeData(t, phone)

		phone.press("Delete my account")
		phone.see("Delete your account")
		phone.accessible("delete your account")
		phone.fill("Confirm", "yes")
		phone.press("Delete my account")
		phone.sees("Nothing was deleted.")
		phone.accessible("delete your account, not typed")
		phone.fill("Confirm", "mara@home.example")
		phone.press("Delete my account")
		phone.see("Your account is closed")
		phone.accessible("closed")
		phone.open(h.letter("closing", "mara@home.example").Link)
		phone.see("Keep your account?")
		phone.accessible("keep your account")
		phone.press("Keep my account")
		phone.sees("Account reopened.")
	})
}

// takeData downloads the data and reads it.
func takeData(t *testing.T, b *browser) {
	t.Helper()
	dir := t.TempDir()
	b.run(cdpbrowser.SetDownloadBehavior(cdpbrowser.SetDownloadBehaviorBehaviorAllow).WithDownloadPath(dir))
	b.press("Download (JSON)")
	var data struct {
		Email    string
		TimeZone string
		Sessions []any
		History  []any
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(filepath.Join(dir, "account.json"))
		if err == nil && json.Unmarshal(text, &data) == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no data came: %v", err)
		}
	}
	if data.Email != "mara@home.example" || data.TimeZone != "Asia/Tokyo" || len(data.Sessions) != 1 || len(data.History) < 10 {
		t.Errorf("the data is %+v", data)
	}
	if strings.Contains(fmt.Sprint(data), "argon2") {
		t.Error("a hash is in the data")
	}
}
