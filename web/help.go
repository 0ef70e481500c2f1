package web

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"

	"gatelodge/app/doc/guide"
	"gatelodge/web/shell"
)

// helpPath is where admins read the guide.
const helpPath = "/admin/help"

// HelpPage is admin-help.html.
type HelpPage struct {
	Layout
	Title string
	Text  template.HTML // rendered from our own Markdown, without raw HTML
	Index bool          // it is the list of the pages
}

// getHelp shows the guide of this version.
func (s adminPages) getHelp(q *shell.Request) error {
	page, err := help(q.Param("page"))
	if err != nil {
		return err
	}
	page.Layout = s.personal(q, q.Current.User)
	return q.Render(http.StatusOK, "admin-help.html", page)
}

// help returns a page of the guide by its name; "" is the list of the pages.
func help(name string) (HelpPage, error) {
	name = cmp.Or(name, guide.Index)
	source, err := guide.Page(name)
	if errors.Is(err, guide.ErrUnknown) {
		return HelpPage{}, shell.ErrNotFound
	}
	if err != nil {
		return HelpPage{}, err
	}
	md := goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	doc := md.Parser().Parse(text.NewReader(source))
	page := HelpPage{Index: name == guide.Index}
	err = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if link, ok := n.(*ast.Link); ok && entering {
			link.Destination = []byte(helpLink(string(link.Destination)))
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return HelpPage{}, fmt.Errorf("reading the page %s of the guide: %w", name, err)
	}
	if title, ok := doc.FirstChild().(*ast.Heading); ok {
		page.Title = string(title.Lines().Value(source))
		doc.RemoveChild(doc, title) // the page shows it above the text
	}
	var b bytes.Buffer
	if err := md.Renderer().Render(&b, source, doc); err != nil {
		return HelpPage{}, fmt.Errorf("rendering the page %s of the guide: %w", name, err)
	}
	page.Text = template.HTML(scrollable.Replace(b.String()))
	return page, nil
}

// scrollable makes what can be wider than a phone scroll by itself, also with the keyboard.
var scrollable = strings.NewReplacer(
	"<pre>", `<pre tabindex="0">`,
	"<table>", `<div class="table-wrap" tabindex="0"><table>`, "</table>", "</table></div>",
)

// helpLink returns where a link of the guide leads in the server: "mail.md" is
// "/admin/help/mail".
func helpLink(to string) string {
	name, isPage := strings.CutSuffix(to, ".md")
	switch {
	case !isPage || strings.Contains(to, "/"):
		return to
	case name == guide.Index:
		return helpPath
	}
	return helpPath + "/" + name
}
