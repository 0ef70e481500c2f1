package e2e

import (
	"encoding/json"
	"testing"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A code that is pasted with the sentence around it, with spaces or in the digits of
// another script, fills the field as six digits. Other text stays as it was pasted.
func TestACodeIsPastedWithTheWordsAroundIt(t *testing.T) {
	t.Parallel()
	h, b := openServer(t), person(t)
	b.open(h.url + "/signin")
	b.fill("Email or username", "mara@home.example")
	b.press("Email me a link and code")
	b.see("Check your email")
	b.run(cdpbrowser.GrantPermissions([]cdpbrowser.PermissionType{cdpbrowser.PermissionTypeClipboardReadWrite, cdpbrowser.PermissionTypeClipboardSanitizedWrite}))
	for pasted, want := range map[string]string{
		"985864":                "985864",
		"985 864":               "985864",
		"985\u00a0864":          "985864",
		"985\u2011864":          "985864",
		"Your code is 985 864!": "985864",
		"Your code is 985 864. It expires in 15 minutes (14:27 CET).": "985864",
		"Code:\r\n\r\n    985 864\r\n\r\nNot you?":                    "985864",
		"٩٨٥ ٨٦٤":            "985864",
		"۹۸۵۸۶۴":             "985864",
		"९८५८६४":             "985864",
		"９８５８６４":             "985864",
		"985864 985 864":     "985864 985 864", // one number of twelve digits, as for the server
		"985864, or 985 864": "985864",
		"985864 or 111111":   "985864 or 111111",
		"9858647":            "9858647",
		"98586":              "98586",
		"no code":            "no code",
	} {
		text, err := json.Marshal(pasted)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		b.run(chromedp.Evaluate(`document.querySelector(".code-in").value = ""`, nil),
			chromedp.Evaluate(`navigator.clipboard.writeText(`+string(text)+`)`, nil,
				func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
					return p.WithAwaitPromise(true).WithUserGesture(true)
				}),
			chromedp.Focus(".code-in", chromedp.ByQuery),
			input.DispatchKeyEvent(input.KeyRawDown).WithCommands([]string{"paste"}),
			chromedp.Value(".code-in", &got, chromedp.ByQuery))
		if got != want {
			t.Errorf("%q pasted is %q in the field, want %q", pasted, got, want)
		}
	}
}
