//go:build e2e

package stat

const (
	coverageCases = 10000
	cleanNights   = 10000
	plantings     = 1000
	full          = true
)
