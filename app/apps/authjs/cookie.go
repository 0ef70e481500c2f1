package authjs

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxChunks is more chunks than browsers keep of one cookie.
const maxChunks = 20

// Carried are the session values that a request may mean, the likeliest first,
// and the names of the cookies they came in.
type Carried struct {
	Values []string
	Names  []string
}

// Join finds the session cookie of that name. A value of Auth.js that was too
// long for one cookie lies in name.0, name.1 and so on, in any order; what is
// left of an older one beside it must not spoil the session, so both readings
// are returned. Other cookies whose names begin alike are none of ours.
func Join(cookies []*http.Cookie, name string) Carried {
	var c Carried
	var chunks map[int]string
	for _, cookie := range cookies {
		rest, ok := strings.CutPrefix(cookie.Name, name)
		if !ok {
			continue
		}
		if rest == "" {
			c.Names = append(c.Names, name)
			if cookie.Value != "" {
				c.Values = append(c.Values, cookie.Value)
			}
			continue
		}
		n, err := strconv.ParseUint(strings.TrimPrefix(rest, "."), 10, 8)
		if err != nil || n >= maxChunks || rest != "."+strconv.FormatUint(n, 10) {
			continue
		}
		if chunks == nil {
			chunks = make(map[int]string)
		}
		chunks[int(n)] = cookie.Value
		c.Names = append(c.Names, cookie.Name)
	}
	var b strings.Builder
	for n := 0; chunks[n] != ""; n++ {
		b.WriteString(chunks[n])
	}
	if b.Len() > 0 {
		c.Values = append(c.Values, b.String())
	}
	return c
}

// Leftovers returns the names that must be expired when the cookie of that name
// is set.
func (c Carried) Leftovers(name string) []string {
	if len(c.Names) == 0 || len(c.Names) == 1 && c.Names[0] == name {
		return nil
	}
	left := slices.DeleteFunc(slices.Clone(c.Names), func(n string) bool { return n == name })
	slices.Sort(left)
	return slices.Compact(left)
}
