//go:build !linux

package line

import (
	"errors"
	"os"
)

// hide is not known on this system: what is typed is seen.
func hide(*os.File) (show func(), err error) { return nil, errors.ErrUnsupported }
