//go:build !linux

package power

import "errors"

type vcio struct{}

func openVCIO(string) (vcio, error) {
	return vcio{}, errors.ErrUnsupported
}

func (vcio) ask(string) (string, error) { return "", errors.ErrUnsupported }

func (vcio) Close() error { return nil }
