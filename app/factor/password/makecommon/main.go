// Command makecommon writes the filter of common passwords.
//
//	npm pack zxcvbn@4.4.2 && tar xzf zxcvbn-4.4.2.tgz
//	go run ./app/factor/password/makecommon package/lib/frequency_lists.js app/factor/password/common.bin
//
// The list is the one that zxcvbn ranks by how often each password was found in
// leaks (MIT licence, Dan Wheeler and Dropbox). Only a filter of it is kept here.
package main

import (
	"fmt"
	"os"
	"strings"

	"gatelodge/app/factor/password"
)

const (
	words = 20_000
	size  = 40 << 10 // bytes: 16 bits a word, so that one in some 2,000 is wrong
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: makecommon FREQUENCY_LISTS.js FILTER")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "makecommon:", err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	_, list, found := strings.Cut(string(text), `passwords: "`)
	list, _, closed := strings.Cut(list, `"`)
	if !found || !closed {
		return fmt.Errorf("%s holds no list of passwords", from)
	}
	filter := make([]byte, size)
	n := 0
	for word := range strings.SplitSeq(strings.ToLower(list), ",") {
		if len(word) < password.MinCommon || n == words {
			continue
		}
		n++
		password.ProbeCommon(word, size*8, func(bit uint64) bool {
			filter[bit/8] |= 1 << (bit % 8)
			return true
		})
	}
	fmt.Printf("%d passwords in %d bytes\n", n, size)
	return os.WriteFile(to, filter, 0o644)
}
