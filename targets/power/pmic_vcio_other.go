//go:build !linux

package power

import "errors"

func openVCIO(string) (mailboxLine, error) { return nil, errors.ErrUnsupported }
