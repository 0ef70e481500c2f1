package e2e

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"gatelodge/app/mail/mailtest"
)

// far makes every answer take as long as on a mobile network.
func (b *browser) far() {
	b.t.Helper()
	b.run(network.Enable(), network.EmulateNetworkConditions(false, 150, -1, -1))
}

// doubleClick clicks a button twice, 120 ms apart, as hands do that doubt the first
// click: the second comes while the answer to the first is on its way.
func (b *browser) doubleClick(words string) {
	b.t.Helper()
	button := fmt.Sprintf(`//button[normalize-space()=%q]`, words)
	var box *dom.BoxModel
	b.run(chromedp.ScrollIntoView(button, chromedp.BySearch), chromedp.Dimensions(button, &box, chromedp.BySearch))
	x, y := (box.Content[0]+box.Content[4])/2, (box.Content[1]+box.Content[5])/2
	if math.IsNaN(x + y) {
		b.t.Fatalf("%q has no place on the page", words)
	}
	click := func(kind input.MouseType) chromedp.Action {
		return input.DispatchMouseEvent(kind, x, y).WithButton(input.Left).WithClickCount(1)
	}
	b.run(click(input.MousePressed), click(input.MouseReleased), chromedp.Sleep(120*time.Millisecond), click(input.MousePressed), click(input.MouseReleased))
}

// ask asks for a link and a code.
func (b *browser) ask(p *program, email string) {
	b.t.Helper()
	b.open(p.url + "/signin")
	b.fill("Email or username", email)
	b.press("Email me a link and code")
	b.see("Check your email")
}

// A double click over a slow network wastes no code, link or set-up, whether or not
// the page's script runs.
func TestADoubleClickWastesNothing(t *testing.T) {
	told(t, func(t *testing.T, person func() *browser) {
		mailtest.Peer(t, "chromium")
		p := start(t, "")
		mara := person()
		mara.far()
		mara.open(p.wait(setUpLink))
		mara.fill("Your email address", "mara@home.example")
		mara.doubleClick("Create the account")
		mara.see("Your account")

		// The code, in the browser that asked for it.
		phone := person()
		phone.far()
		phone.ask(p, "mara@home.example")
		phone.fill("6-digit code", p.wait(mailCode))
		phone.doubleClick("Sign in")
		phone.see("Your account")

		// The link, confirmed in a browser that did not ask for it.
		used := p.wait(mailLink)
		asking, tablet := person(), person()
		asking.ask(p, "mara@home.example")
		link := used
		for deadline := time.Now().Add(10 * time.Second); link == used; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("there is no second mail")
			}
			link = p.wait(mailLink)
		}
		tablet.far()
		tablet.open(link)
		tablet.doubleClick("Yes, sign in here")
		tablet.see("Your account")
	})
}
