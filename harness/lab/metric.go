package lab

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seed-c6f48606/harness/harness/queue"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// collector reads the lab's state when it is asked.
type collector struct {
	queue *queue.Queue
	log   *slog.Logger
}

var (
	descJobs     = prometheus.NewDesc("harness_lab_jobs", "Jobs that are not over.", []string{"board", "user", "state"}, nil)
	descTrials   = prometheus.NewDesc("harness_lab_trials_total", "Attempts recorded, by verdict.", []string{"verdict"}, nil)
	descHeld     = prometheus.NewDesc("harness_lab_board_held", "1 where a controller has the board's lease.", []string{"board"}, nil)
	descDrained  = prometheus.NewDesc("harness_lab_board_drained", "1 where the board takes no trials.", []string{"board"}, nil)
	descFence    = prometheus.NewDesc("harness_lab_board_leases_total", "Leases granted of the board.", []string{"board"}, nil)
	descReserved = prometheus.NewDesc("harness_lab_board_reserved", "1 where the board is reserved now.", []string{"board", "user"}, nil)
)

// Describe lists the metrics.
func (*collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descJobs, descTrials, descHeld, descDrained, descFence, descReserved} {
		out <- d
	}
}

// Collect reads them from the database.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	one := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	boards, err := c.queue.Boards(ctx)
	for _, b := range boards {
		gauge(descHeld, one(b.Held()), b.Name)
		gauge(descDrained, one(b.Drained), b.Name)
		counter(descFence, float64(b.Fence), b.Name)
	}
	if err == nil {
		var counts []queue.Count
		counts, err = c.queue.Counts(ctx)
		for _, n := range counts {
			gauge(descJobs, float64(n.Jobs), n.Board, n.Owner, n.State)
		}
	}
	if err == nil {
		var verdicts map[string]int
		verdicts, err = c.queue.Verdicts(ctx)
		for verdict, n := range verdicts {
			counter(descTrials, float64(n), verdict)
		}
	}
	if err == nil {
		var reservations []queue.Reservation
		reservations, err = c.queue.Reservations(ctx)
		for _, r := range reservations {
			if !r.From.After(time.Now()) {
				gauge(descReserved, 1, r.Board, r.Owner)
			}
		}
	}
	if err != nil {
		c.log.Error("metrics cannot be read", "error", err)
		out <- prometheus.NewInvalidMetric(descJobs, err)
	}
}

// Meter counts what a controller does.
type Meter struct {
	registry *prometheus.Registry
	trials   *prometheus.CounterVec
	took     *prometheus.HistogramVec
	waited   *prometheus.HistogramVec
	refused  *prometheus.CounterVec
	lost     *prometheus.CounterVec
}

// NewMeter returns a meter that has counted nothing.
func NewMeter() *Meter {
	m := &Meter{
		registry: prometheus.NewRegistry(),
		trials:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "harness_controller_trials_total", Help: "Attempts recorded."}, []string{"board", "verdict"}),
		took:     prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "harness_controller_trial_seconds", Help: "Time of an attempt.", Buckets: prometheus.ExponentialBuckets(0.25, 2, 11)}, []string{"board"}),
		waited:   prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "harness_controller_wait_seconds", Help: "From a job's submission to its turn.", Buckets: prometheus.ExponentialBuckets(1, 4, 10)}, []string{"board"}),
		refused:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "harness_controller_refused_total", Help: "Results that came after the lease was lost."}, []string{"board"}),
		lost:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "harness_controller_leases_lost_total", Help: "Leases that were lost."}, []string{"board"}),
	}
	m.registry.MustRegister(m.trials, m.took, m.waited, m.refused, m.lost)
	return m
}

// Hooks are what a controller is given.
func (m *Meter) Hooks() queue.Hooks {
	return queue.Hooks{
		Recorded: func(board string, v wire.Verdict, took time.Duration) {
			m.trials.WithLabelValues(board, string(v)).Inc()
			m.took.WithLabelValues(board).Observe(took.Seconds())
		},
		Refused: func(board string) { m.refused.WithLabelValues(board).Inc() },
		Lost:    func(board string) { m.lost.WithLabelValues(board).Inc() },
		Waited:  func(board string, waited time.Duration) { m.waited.WithLabelValues(board).Observe(waited.Seconds()) },
	}
}

// Handler answers /metrics.
func (m *Meter) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
