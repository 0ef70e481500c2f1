// Package theme computes the accent colours of pages and mail from theme.hue. It leaves all
// other colours to the stylesheet.
package theme

import (
	"fmt"
	"math"
	"strings"
)

// The accent's colours, in OKLCH: only the hue is the operator's, so that what
// is written in them can be read in any hue. Chroma is as much of the given as
// the screen can show.
var accents = []struct {
	name        string
	light, dark lch
}{
	{"accent", lch{.450, .120}, lch{.780, .100}},
	{"accent-deep", lch{.375, .100}, lch{.850, .080}},
	{"on-accent", lch{1, 0}, lch{.230, .045}},
	{"accent-soft", lch{.945, .018}, lch{.300, .040}},
}

// lch is a lightness, 0 to 1, and a chroma.
type lch struct{ lightness, chroma float64 }

var mark = lch{.600, .110}

// DefaultHue is the hue of the mark.
const DefaultHue = 205

// Colours are the accent in mail, which has no variables: for light and dark, each with the
// colour of text on it.
type Colours struct{ Light, OnLight, Dark, OnDark string }

// ColoursOf returns the accent colours of a hue, 0 to 359 degrees.
func ColoursOf(hue int) Colours {
	accent, on := accents[0], accents[2]
	return Colours{accent.light.hex(hue), on.light.hex(hue), accent.dark.hex(hue), on.dark.hex(hue)}
}

// MarkColour returns the colour of the mark in a browser's tab, for light and dark alike.
func MarkColour(hue int) string { return mark.hex(hue) }

// CSS returns the stylesheet of an accent hue, 0 to 359 degrees.
func CSS(hue int) []byte {
	var light, dark strings.Builder
	for _, a := range accents {
		fmt.Fprintf(&light, "--%s:%s;", a.name, a.light.hex(hue))
		fmt.Fprintf(&dark, "--%s:%s;", a.name, a.dark.hex(hue))
	}
	return fmt.Appendf(nil, ":root{%s}\n@media (prefers-color-scheme:dark){:root:not([data-theme=light]){%s}}\n:root[data-theme=dark]{%s}\n",
		light.String(), dark.String(), dark.String())
}

// hex returns the colour at a hue for a stylesheet. Where the screen cannot show
// that much chroma it halves its way to what it can; lightness stays.
func (c lch) hex(hue int) string {
	r, g, b := c.linear(hue)
	if !shown(r, g, b) {
		low, high := 0.0, c.chroma
		for range 16 {
			middle := (low + high) / 2
			if shown(lch{c.lightness, middle}.linear(hue)) {
				low = middle
			} else {
				high = middle
			}
		}
		r, g, b = lch{c.lightness, low}.linear(hue)
	}
	return fmt.Sprintf("#%02x%02x%02x", encoded(r), encoded(g), encoded(b))
}

// linear returns the colour in linear sRGB, which may lie outside 0 to 1. The
// matrices are those of CSS Color 4, section 9.3 (OKLab to LMS to linear sRGB).
func (c lch) linear(hue int) (r, g, b float64) {
	sin, cos := math.Sincos(float64(hue) * math.Pi / 180)
	a, bb := c.chroma*cos, c.chroma*sin
	l := cube(c.lightness + .3963377774*a + .2158037573*bb)
	m := cube(c.lightness - .1055613458*a - .0638541728*bb)
	s := cube(c.lightness - .0894841775*a - 1.2914855480*bb)
	return 4.0767416621*l - 3.3077115913*m + .2309699292*s,
		-1.2684380046*l + 2.6097574011*m - .3413193965*s,
		-.0041960863*l - .7034186147*m + 1.7076147010*s
}

func cube(x float64) float64 { return x * x * x }

// shown reports whether a screen has the colour, but for rounding.
func shown(r, g, b float64) bool {
	const least, most = -.0005, 1.0005
	return min(r, g, b) >= least && max(r, g, b) <= most
}

// encoded returns a linear channel as sRGB has it, 0 to 255.
func encoded(x float64) uint8 {
	x = min(max(x, 0), 1)
	if x <= .0031308 {
		x *= 12.92
	} else {
		x = 1.055*math.Pow(x, 1/2.4) - .055
	}
	return uint8(math.Round(x * 255))
}
