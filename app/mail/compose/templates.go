package compose

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html"
	htmltemplate "html/template"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/template"
	"time"

	"gatelodge/app/lang"
)

//go:embed templates
var files embed.FS

// Templates are the frames of the messages: ours, and those an operator put in
// their place.
type Templates struct {
	frameText *template.Template
	frameHTML *htmltemplate.Template
	ownText   map[string]*template.Template
	ownHTML   map[string]*htmltemplate.Template
}

// ours parses the built-in frame when the first message is written: a start
// does not wait for it.
var ours = sync.OnceValue(func() *Templates {
	return &Templates{
		frameText: template.Must(template.ParseFS(files, "templates/letter.txt")),
		frameHTML: htmltemplate.Must(htmltemplate.ParseFS(files, "templates/frame.html", "templates/letter.html")).Lookup("letter.html"),
		ownText:   map[string]*template.Template{}, ownHTML: map[string]*htmltemplate.Template{},
	}
})

func (t *Templates) text(name string) *template.Template {
	if own := t.ownText[name]; own != nil {
		return own
	}
	return t.frameText
}

func (t *Templates) html(name string) *htmltemplate.Template {
	if own := t.ownHTML[name]; own != nil {
		return own
	}
	return t.frameHTML
}

// Source returns the built-in template of all messages, its text or its HTML, to
// begin one of one's own with.
func Source(html bool) (string, error) {
	names := []string{"letter.txt"}
	if html {
		names = []string{"frame.html", "letter.html"}
	}
	var all strings.Builder
	for _, name := range names {
		b, err := files.ReadFile("templates/" + name)
		if err != nil {
			return "", err
		}
		all.Write(b)
	}
	return all.String(), nil
}

// letters are all kinds, each with something everywhere.
func letters(now time.Time) []Letter {
	const link = "https://auth.home.example/signin/link/9vQ2"
	return []Letter{
		SignIn{Link: link, Code: "482913", Device: "Firefox on Linux", LinkUntil: now.Add(2 * time.Hour), CodeUntil: now.Add(15 * time.Minute)},
		Reset{Link: link, Device: "Firefox on Linux", Until: now.Add(time.Hour)},
		ConfirmEmail{Account: "mara@home.example", Link: link, Code: "482913", Until: now.Add(time.Hour)},
		EmailChanged{NewEmail: "mara@new.example", At: now, Device: "Safari on Mac", Link: link, Until: now.AddDate(0, 0, 7)},
		EmailAdded{NewEmail: "mara@new.example", At: now, Device: "Safari on Mac", Link: link, Until: now.AddDate(0, 0, 7)},
		NewDevice{At: now, Device: "Safari on Mac", IP: "198.51.100.40", Means: []string{"pwd", "otp"}, Link: link},
		PasswordChanged{At: now, Device: "Safari on Mac", IP: "198.51.100.40", Link: link},
		Linked{Upstream: "Google", Who: "mara@gmail.example", At: now, Device: "Safari on Mac", IP: "198.51.100.40", Link: link},
		Invite{By: "Sam Rivera", ByEmail: "sam@home.example", Apps: []string{"Grafana", "Forgejo"}, Link: link, Until: now.AddDate(0, 0, 7)},
		AccessRequest{Person: "Mara", Email: "mara@home.example", App: "Grafana", Link: link},
		Approved{Link: link},
		Closing{EraseAt: now.AddDate(0, 0, 7), Link: link},
		Test{},
	}
}

// LoadTemplates reads an operator's own templates: NAME.txt and NAME.html, where
// NAME is the Name of a Letter, and either alone will do. Each is tried on a
// letter. One that cannot be used, or would leave out the link or the code that
// the message is for, is reported in the problems and ours is used instead, so that
// nobody is locked out by a typing error.
func LoadTemplates(dir string, catalog *lang.Catalog) (*Templates, []error) {
	base := ours()
	t := &Templates{frameText: base.frameText, frameHTML: base.frameHTML, ownText: map[string]*template.Template{}, ownHTML: map[string]*htmltemplate.Template{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return t, []error{fmt.Errorf("mail.templates: %w", err)}
	}
	samples := letters(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	var problems []error
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		kind := filepath.Ext(path)
		name := strings.TrimSuffix(e.Name(), kind)
		i := slices.IndexFunc(samples, func(l Letter) bool { return l.Name() == name })
		switch {
		case i < 0 || kind != ".txt" && kind != ".html":
			err = fmt.Errorf("is for no message: the names are %s, each with .txt or .html", strings.Join(Names(), ", "))
		default:
			err = t.add(path, name, kind, samples[i], catalog)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("mail.templates: %s %w", path, err))
		}
	}
	return t, problems
}

// Names returns the names of all kinds of message.
func Names() []string {
	var list []string
	for _, l := range letters(time.Time{}) {
		list = append(list, l.Name())
	}
	return list
}

func (t *Templates) add(path, name, kind string, sample Letter, catalog *lang.Catalog) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	c := &Composer{Site: "home.example", Host: "auth.home.example", Lang: catalog}
	w := &writer{Head: Head{To: "mara@home.example", Now: time.Now()}, c: c, p: catalog.For("en"), name: name}
	said := w.frame(sample)
	var out bytes.Buffer
	if kind == ".txt" {
		own, err := template.New(name).Parse(string(b))
		if err == nil {
			err = own.Execute(&out, said)
		}
		if err != nil {
			return fmt.Errorf("cannot be used: %w", err)
		}
		if err := complete(out.String(), said); err != nil {
			return err
		}
		t.ownText[name] = own
		return nil
	}
	own, err := htmltemplate.New(name).Parse(string(b))
	if err == nil {
		err = own.Execute(&out, said)
	}
	if err != nil {
		return fmt.Errorf("cannot be used: %w", err)
	}
	if err := complete(out.String(), said); err != nil {
		return err
	}
	t.ownHTML[name] = own
	return nil
}

// complete reports what a message lacks, text or HTML, without which it is of no use.
func complete(text string, said words) error {
	text += html.UnescapeString(text) // an address in HTML may be escaped
	if said.Link != "" && !strings.Contains(text, said.Link) {
		return errors.New("leaves out the link: it must hold {{.Link}}")
	}
	if said.Code != "" && !strings.Contains(text, said.Code) && !strings.Contains(text, said.PlainCode) {
		return errors.New("leaves out the code: it must hold {{.Code}}")
	}
	return nil
}
