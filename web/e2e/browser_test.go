package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"gatelodge/app/mail/mailtest"
)

// browser is a Chromium with one tab and its own cookies.
type browser struct {
	t   testing.TB
	ctx context.Context
	// scriptless is one that runs no script of pages, and so no axe.
	scriptless bool

	mu       sync.Mutex
	findings []string
}

// view is how somebody looks at a page.
type view struct {
	name          string
	width, height int64
	dark          bool
}

var views = []view{{"desktop light", 1280, 800, false}, {"desktop dark", 1280, 800, true}, {"phone light", 390, 844, false}, {"phone dark", 390, 844, true}}

// person starts a Chromium: a browser with cookies of its own.
func person(t testing.TB) *browser {
	t.Helper()
	mailtest.Peer(t, "chromium")
	profile, err := os.MkdirTemp("", "gatelodge-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-background-networking", true),
		chromedp.UserDataDir(profile), chromedp.Env("TMPDIR="+profile))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(alloc)
	b := &browser{t: t, ctx: ctx}
	t.Cleanup(func() {
		cancel()
		stop()
		os.RemoveAll(profile) // Chromium may still write: what stays is in the temporary folder
		for _, f := range b.findings {
			t.Errorf("in the browser: %s", f)
		}
	})
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			b.find("script: " + e.ExceptionDetails.Error())
		case *cdplog.EventEntryAdded:
			// Chromium reports statuses of 4xx as errors; those are asserted. So is 503
			// where somebody else is down.
			if e.Entry.Level == cdplog.LevelError && !strings.Contains(e.Entry.Text, "status of 4") && !strings.Contains(e.Entry.Text, "status of 503") {
				b.find(e.Entry.Text)
			}
		}
	})
	// The context of the first run is the browser's: it must not end with it.
	if err := chromedp.Run(ctx, cdplog.Enable()); err != nil {
		t.Fatal(err)
	}
	return b
}

// told runs a story twice, at the same time: in browsers with script and without.
func told(t *testing.T, story func(t *testing.T, person func() *browser)) {
	t.Parallel()
	for name, script := range map[string]bool{"with script": true, "without script": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, func() *browser {
				b := person(t)
				if !script {
					b.withoutScript()
				}
				return b
			})
		})
	}
}

// withoutScript switches script off.
func (b *browser) withoutScript() {
	b.t.Helper()
	b.scriptless = true
	b.run(emulation.SetScriptExecutionDisabled(true))
}

func (b *browser) find(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.findings = append(b.findings, text)
}

func (b *browser) run(actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		b.t.Fatalf("%v\nthe page is:\n%s", err, b.page())
	}
}

// page returns what the tab shows, for failures.
func (b *browser) page() string {
	ctx, cancel := context.WithTimeout(b.ctx, 3*time.Second)
	defer cancel()
	var where, text string
	if err := chromedp.Run(ctx, chromedp.Location(&where), chromedp.Text("body", &text, chromedp.ByQuery)); err != nil {
		return err.Error()
	}
	return where + "\n" + text
}

func (b *browser) open(url string) { b.t.Helper(); b.run(chromedp.Navigate(url)) }

// see waits for a heading.
func (b *browser) see(heading string) {
	b.t.Helper()
	b.run(chromedp.WaitVisible(fmt.Sprintf(`//h1[normalize-space()=%q]`, heading), chromedp.BySearch))
}

// sees waits until the page shows some words.
func (b *browser) sees(words string) {
	b.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		text := b.page()
		if strings.Contains(text, words) {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("the page lacks %q:\n%s", words, text)
		}
	}
}

// fill types into a labelled field.
func (b *browser) fill(label, text string) {
	b.t.Helper()
	field := fmt.Sprintf(`//*[self::input or self::textarea][@id=//label[normalize-space()=%q]/@for]`, label)
	selectAll := input.DispatchKeyEvent(input.KeyRawDown).WithCommands([]string{"selectAll"})
	b.run(chromedp.Focus(field, chromedp.BySearch), selectAll, chromedp.SendKeys(field, text, chromedp.BySearch))
}

// press clicks a button, a link or the head of a fold by its words.
func (b *browser) press(words string) {
	b.t.Helper()
	b.run(chromedp.Click(fmt.Sprintf(`//*[(self::button or self::a or self::summary) and (normalize-space()=%[1]q or normalize-space(text()[1])=%[1]q)]`, words), chromedp.BySearch))
}

// pressOn is press for what leads to another page that looks the same: it waits until
// that one is there.
func (b *browser) pressOn(words string) {
	b.t.Helper()
	b.run(chromedp.Evaluate(`window.before = true`, nil))
	b.press(words)
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	for before := true; before; time.Sleep(10 * time.Millisecond) {
		// Between two pages there is nothing to ask.
		err := chromedp.Run(ctx, chromedp.Evaluate(`window.before === true`, &before))
		if ctx.Err() != nil {
			b.t.Fatalf("%q leads nowhere: %v\nthe page is:\n%s", words, err, b.page())
		}
		before = before || err != nil
	}
}

// look sets how the page is looked at.
func (b *browser) look(v view) {
	b.t.Helper()
	scheme := "light"
	if v.dark {
		scheme = "dark"
	}
	b.run(chromedp.EmulateViewport(v.width, v.height),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
}

// axe returns the source of axe-core, from the globally installed npm package.
var axe = sync.OnceValues(func() (string, error) {
	root, err := exec.Command("npm", "root", "-g").Output()
	if err != nil {
		return "", err
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "axe-core", "axe.min.js"))
	return string(source), err
})

// accessible checks the page with axe-core in every view, and that nothing is
// wider than the screen; not without script, where the page is the same.
func (b *browser) accessible(state string) {
	b.t.Helper()
	if b.scriptless {
		return
	}
	source, err := axe()
	if err != nil {
		if os.Getenv("GATELODGE_PEERS") == "require" {
			b.t.Fatalf("the peer axe-core is not installed: %v", err)
		}
		return // the page was seen all the same
	}
	for _, v := range views {
		b.look(v)
		b.shoot(state, v)
		var found string
		var over int
		b.run(chromedp.Evaluate(source, nil),
			chromedp.Evaluate(`document.documentElement.scrollWidth - innerWidth`, &over),
			chromedp.Evaluate(`axe.run(document, {runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']}).then(r =>
				JSON.stringify(r.violations.map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.target.join(' ')).join(' | '))))`, &found,
				func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
		var violations []string
		if err := json.Unmarshal([]byte(found), &violations); err != nil {
			b.t.Fatal(err)
		}
		for _, violation := range violations {
			b.t.Errorf("%s, %s: %s", state, v.name, violation)
		}
		if over > 0 {
			b.t.Errorf("%s, %s: scrolls sideways by %d px", state, v.name, over)
		}
	}
	b.look(views[0])
}

// shoot keeps a picture of the page in the directory that GATELODGE_PICTURES names.
func (b *browser) shoot(state string, v view) {
	b.t.Helper()
	dir := os.Getenv("GATELODGE_PICTURES")
	if dir == "" {
		return
	}
	var picture []byte
	b.run(chromedp.FullScreenshot(&picture, 100))
	name := strings.NewReplacer(" ", "-", ",", "", "?", "").Replace(state + " " + v.name)
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600); err != nil {
		b.t.Error(err)
	}
}
