//go:build unix

package queue_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/harness/queue/pgtest"
	"github.com/seed-c6f48606/harness/harness/queue/soak"
)

func TestMain(m *testing.M) {
	soak.Child(nil) // where this is one of a soak's controllers
	os.Exit(m.Run())
}

// A lab that counts a trial twice, loses one or lets two controllers drive a board
// publishes wrong figures without a word. The long version is make e2e-lab.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes and kills them")
	}
	t.Run("postgres", func(t *testing.T) {
		address, restart := pgtest.Start(t)
		t.Log(soak.Run(t, soak.Soak{
			Database: address, Restart: restart, Controllers: 3, StandIns: 6, Jobs: 300,
			TTL: 2 * time.Second, Faults: time.Second, Limit: 2 * time.Minute, Seed: 1, Args: []string{"-test.run=^$"},
		}))
	})
	t.Run("sqlite", func(t *testing.T) {
		t.Log(soak.Run(t, soak.Soak{
			Database: filepath.Join(t.TempDir(), "lab.db"), Controllers: 2, StandIns: 3, Jobs: 120,
			TTL: 2 * time.Second, Faults: 2 * time.Second, Limit: 2 * time.Minute, Seed: 2, Args: []string{"-test.run=^$"},
		}))
	})
}
