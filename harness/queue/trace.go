package queue

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// tracer is that of the program, which records nothing unless it was set up to.
func tracer() trace.Tracer { return otel.Tracer("github.com/seed-c6f48606/harness/harness/queue") }

// inject returns the trace context as a job carries it; nil where there is no trace.
func inject(ctx context.Context) map[string]string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	if len(carrier) == 0 {
		return nil
	}
	return carrier
}

// extract continues the trace of who submitted a job.
func extract(ctx context.Context, carrier map[string]string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier(carrier))
}
