//go:build !e2e

package stat

// Simulated cases of a coverage table and nights of a history; -tags e2e has the
// full number.
const (
	coverageCases = 400
	cleanNights   = 40
	plantings     = 15
	full          = false
)
