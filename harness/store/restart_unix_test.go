//go:build unix

package store_test

import (
	"context"
	"testing"

	"github.com/seed-c6f48606/harness/harness/queue/pgtest"
	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// The lab's server is updated at night while laptops measure: they wait for it, and
// no trial is lost or stored twice.
func TestADatabaseThatStartsAgain(t *testing.T) {
	location, restart := pgtest.Start(t, "fsync=on")
	s := open(t, location)
	l := start(t, s)
	const trials = 60
	down := make(chan struct{})
	done := make(chan error)
	go func() {
		var err error
		for i := 0; i < trials && err == nil; i++ {
			if i == trials/3 {
				close(down)
			}
			err = l.AddTrial(context.Background(), trial("a", i, 0, wire.Valid))
		}
		done <- err
	}()
	<-down
	restart()
	restart()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got, err := s.Trials(t.Context(), l.Run()); err != nil || len(got) != trials {
		t.Errorf("%d trials, %v; want %d", len(got), err, trials)
	}
	if err := l.Close(t.Context(), store.Done, ""); err != nil {
		t.Error(err)
	}
}
