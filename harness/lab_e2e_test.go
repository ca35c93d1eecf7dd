//go:build e2e && unix

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/seed-c6f48606/harness/harness/lab"
	"github.com/seed-c6f48606/harness/harness/queue"
	"github.com/seed-c6f48606/harness/harness/queue/pgtest"
	"github.com/seed-c6f48606/harness/harness/queue/soak"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/targets"
	"github.com/seed-c6f48606/harness/targets/virtual"
)

// labInventory names the inventory of a soak's controllers.
const labInventory = "HARNESS_SOAK_INVENTORY"

// A controller of a soak is this binary, before it is anything else.
func init() {
	if os.Getenv(labInventory) == "" {
		soak.Child(nil)
		return
	}
	cache, err := sweep.UserCache()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	soak.Child(benches(&fleet{path: os.Getenv(labInventory)}, &lab.Shelf{Cache: cache}, sweep.Launch{}, ""))
}

// jobs is how many jobs there are in all, LAB_JOBS for another number.
func jobs(t *testing.T) int {
	n := 10_000
	if v := os.Getenv("LAB_JOBS"); v != "" {
		var err error
		if n, err = strconv.Atoi(v); err != nil {
			t.Fatalf("LAB_JOBS=%s: %v", v, err)
		}
	}
	return n
}

// TestLab is the lab as its users have it: controllers are killed, their database
// is restarted and their network is cut while they measure on virtual boards over
// SSH and on stand-ins.
func TestLab(t *testing.T) {
	inventory, plan := labBoards(t, 4)
	sweeps, trials := labSweep(t, plan)
	address, restart := pgtest.Start(t, "fsync=on")
	t.Log(soak.Run(t, soak.Soak{
		Database: address, Restart: restart, Controllers: 8, StandIns: 28, Jobs: jobs(t) - trials, Boards: plan.Targets, Sweeps: sweeps,
		Env: []string{labInventory + "=" + inventory}, Args: []string{"-test.run=^$"},
		TTL: 6 * time.Second, Faults: 4 * time.Second, Limit: 20 * time.Minute, Seed: 1,
	}))
}

// TestLabSQLite is the lab on one machine, without a server.
func TestLabSQLite(t *testing.T) {
	t.Log(soak.Run(t, soak.Soak{
		Database: filepath.Join(t.TempDir(), "lab.db"), Controllers: 2, StandIns: 32, Jobs: jobs(t), Args: []string{"-test.run=^$"},
		TTL: 4 * time.Second, Faults: 5 * time.Second, Limit: 15 * time.Minute, Seed: 2,
	}))
}

// labBoards starts virtual boards and returns an inventory that reaches them as
// any board is reached, by SSH, and a plan for them.
func labBoards(t *testing.T, n int) (string, sweep.Plan) {
	t.Helper()
	p := sweep.Reference()
	p.Targets, p.Threads, p.Repeats, p.Retries = nil, nil, 2, 0
	p.Energy, p.Window, p.WarmupLimit = false, 300*time.Millisecond, time.Second
	var entries []targets.Target
	for i := range n {
		name := fmt.Sprintf("virtual-%d", i)
		b, err := virtual.Start(t.Context(), virtual.Options{Kind: []string{"pi5", "orin-nano"}[i%2], Name: name, Seed: uint64(i)})
		if err != nil {
			t.Skipf("no virtual boards here: %v", err)
		}
		t.Cleanup(func() {
			if err := b.Stop(); err != nil {
				t.Error(err)
			}
		})
		entries = append(entries, targets.Target{Name: name, Address: b.Address, Port: b.Port, User: b.User, KeyFile: b.KeyFile, HostKey: b.HostKey})
		p.Targets = append(p.Targets, name)
	}
	raw, err := yaml.Marshal(map[string]any{"targets": entries})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "targets.yaml")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	cache, err := sweep.UserCache()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sweep.Prepare(t.Context(), cache, &p); err != nil {
		t.Fatal(err)
	}
	return path, p
}

// labSweep is the plan as it is submitted.
func labSweep(t *testing.T, p sweep.Plan) ([]soak.Submission, int) {
	t.Helper()
	tasks, err := lab.Tasks(p)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return []soak.Submission{{Sweep: queue.Sweep{ID: queue.NewSweepID(), Owner: "dee", Title: "virtual boards", Plan: raw, Priority: queue.Normal}, Tasks: tasks}}, len(tasks)
}
