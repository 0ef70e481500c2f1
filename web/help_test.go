package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// Every page of the guide opens for admins, and every link on it leads somewhere.
func TestAdminsReadTheGuide(t *testing.T) {
	b := open(t, nil).admin("sam@home.example")
	seen := map[string]bool{}
	link := regexp.MustCompile(`href="(/admin/help/?[a-z-]*)"`)
	for pages := []string{"/admin/help"}; len(pages) > 0; pages = pages[1:] {
		page := b.get(pages[0])
		page.is(t, http.StatusOK, `<article class="card guide" lang="en">`)
		if strings.Contains(page.body, ".md") || strings.Contains(page.body, "raw HTML omitted") {
			t.Errorf("%s links to a file, or loses HTML", pages[0])
		}
		for _, found := range link.FindAllStringSubmatch(page.body, -1) {
			if !seen[found[1]] {
				seen[found[1]] = true
				pages = append(pages, found[1])
			}
		}
	}
	if len(seen) < 12 {
		t.Errorf("found %d pages", len(seen))
	}
	b.get("/admin/help/mail").is(t, http.StatusOK, "<h1 lang=\"en\">Send mail</h1>", "gatelodge mail dns", `<pre tabindex="0">`)
	b.get("/admin/help/nowhere").is(t, http.StatusNotFound)
	b.get("/admin/help/..%2f..%2fsecret").is(t, http.StatusNotFound)
}
