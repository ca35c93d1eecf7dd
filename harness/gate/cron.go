package gate

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Schedule is when a nightly plan is due, after crontab(5): minute, hour, day of
// month, month, day of week, each *, a number, a range a-b, steps */n or a-b/n, or a
// list of those. Days of the week are 0 to 7, Sunday both. If both days are given,
// either will do.
type Schedule struct {
	minute, hour, day, month, weekday uint64 // sets of numbers
	anyDay, anyWeekday                bool
}

var cronFields = []struct {
	name   string
	lo, hi int
}{{"minute", 0, 59}, {"hour", 0, 23}, {"day of month", 1, 31}, {"month", 1, 12}, {"day of week", 0, 7}}

// ParseSchedule reads five fields.
func ParseSchedule(text string) (Schedule, error) {
	var s Schedule
	if len(text) > 200 {
		return s, fmt.Errorf("schedule of %d bytes: is longer than 200", len(text))
	}
	fields := strings.Fields(text)
	if len(fields) != len(cronFields) {
		return s, fmt.Errorf("schedule %q: has %d fields, not five: minute hour day month weekday, such as \"0 2 * * *\"", text, len(fields))
	}
	sets := make([]uint64, len(fields))
	for i, f := range fields {
		d := cronFields[i]
		set, err := cronSet(f, d.lo, d.hi)
		if err != nil {
			return s, fmt.Errorf("schedule %q: %s %q: %w", text, d.name, f, err)
		}
		sets[i] = set
	}
	if sets[4]&(1<<7) != 0 {
		sets[4] |= 1
	}
	s = Schedule{sets[0], sets[1], sets[2], sets[3], sets[4], strings.HasPrefix(fields[2], "*"), strings.HasPrefix(fields[4], "*")}
	if s.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return s, fmt.Errorf("schedule %q: never comes", text)
	}
	return s, nil
}

func cronSet(field string, lo, hi int) (uint64, error) {
	var set uint64
	for _, part := range strings.Split(field, ",") {
		span, steps, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			var err error
			if step, err = cronNumber(steps, 1, hi); err != nil {
				return 0, err
			}
		}
		from, to := lo, hi
		if span != "*" {
			a, b, ranged := strings.Cut(span, "-")
			var err error
			if from, err = cronNumber(a, lo, hi); err != nil {
				return 0, err
			}
			switch {
			case ranged:
				if to, err = cronNumber(b, lo, hi); err != nil {
					return 0, err
				}
				if to < from {
					return 0, fmt.Errorf("%d-%d runs backwards", from, to)
				}
			case !stepped:
				to = from
			}
		}
		for v := from; v <= to; v += step {
			set |= 1 << v
		}
	}
	return set, nil
}

func cronNumber(text string, lo, hi int) (int, error) {
	v, err := strconv.Atoi(text)
	if err != nil || v < lo || v > hi || strings.HasPrefix(text, "+") {
		return 0, fmt.Errorf("%.20q is not a number from %d to %d", text, lo, hi)
	}
	return v, nil
}

// Next is the first minute after t at which the schedule is due, in t's zone; zero if
// it does not come within eight years.
func (s Schedule) Next(t time.Time) time.Time {
	end := t.AddDate(8, 0, 1)
	for t = t.Truncate(time.Minute).Add(time.Minute); t.Before(end); {
		switch {
		case s.month&(1<<int(t.Month())) == 0:
			t = time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, t.Location())
		case !s.onDay(t):
			t = time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, t.Location())
		case s.hour&(1<<t.Hour()) == 0 || s.minute&(1<<t.Minute()) == 0:
			t = t.Add(time.Minute) // an hour that the clock leaves out is stepped over
		default:
			return t
		}
	}
	return time.Time{}
}

func (s Schedule) onDay(t time.Time) bool {
	day, weekday := s.day&(1<<t.Day()) != 0, s.weekday&(1<<int(t.Weekday())) != 0
	if s.anyDay || s.anyWeekday {
		return day && weekday
	}
	return day || weekday
}
