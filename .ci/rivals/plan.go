package main

import (
	"fmt"
	"slices"
	"strings"
)

// A task is what every program is asked to do: one prompt, or the tokens of one
// or more sequences one by one from an empty cache, with logits of the last
// prompt token or of every generated one and no choice of tokens.
type task struct {
	ID, Name   string
	Prompt     int
	Gen        int
	Sequences  int
	FirstToken bool // the figure is the time from the process's start to the logits
	Dropped    bool // the model's file is not in the page cache
}

// tasks are those that a table has, in its order.
var tasks = []task{
	{ID: "pp128", Name: "prefill 128", Prompt: 128, Sequences: 1},
	{ID: "pp1024", Name: "prefill 1,024", Prompt: 1024, Sequences: 1},
	{ID: "tg128", Name: "decode 128", Gen: 128, Sequences: 1},
	{ID: "tg32x16", Name: "decode 32, 16 at once", Gen: 32, Sequences: 16},
	{ID: "first1", Name: "first token after 1", Prompt: 1, Sequences: 1, FirstToken: true},
	{ID: "first128", Name: "first token after 128", Prompt: 128, Sequences: 1, FirstToken: true},
	{ID: "cold1", Name: "first token after 1, file not in memory", Prompt: 1, Sequences: 1, FirstToken: true, Dropped: true},
}

func selectTasks(ids []string) ([]task, error) {
	var out []task
	for _, id := range ids {
		i := slices.IndexFunc(tasks, func(t task) bool { return t.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("no task %q: the tasks are %s", id, strings.Join(taskIDs(), ", "))
		}
		out = append(out, tasks[i])
	}
	return out, nil
}

func taskIDs() []string {
	var out []string
	for _, t := range tasks {
		out = append(out, t.ID)
	}
	return out
}

// modelFile is a GGUF file by the name that the table gives it.
type modelFile struct {
	Name, Path string
	SizeBytes  int64
}

// cell is one row of the table's work.
type cell struct {
	Model   modelFile
	Threads int
	Task    task
}

func plan(models []modelFile, threads []int, work []task) []cell {
	var out []cell
	for _, m := range models {
		for _, n := range threads {
			for _, t := range work {
				out = append(out, cell{m, n, t})
			}
		}
	}
	return out
}

// order is the order of n programs in a round: forwards in even rounds and
// backwards in odd ones (ABBA), so that a drift of the machine falls on all
// alike.
func order(round, n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	if round%2 == 1 {
		slices.Reverse(out)
	}
	return out
}
