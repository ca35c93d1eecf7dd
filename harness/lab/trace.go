package lab

import (
	"context"
	"fmt"
	"io"
	"os"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/semconv/v1.37.0"
)

// Trace has the program record traces and returns what sends the last of them. how
// is stdout (to w), otlp (as the OTEL_EXPORTER_OTLP_ variables say) or "": then the
// usual variables decide, and without them nothing is recorded.
func Trace(ctx context.Context, how, service, version string, w io.Writer) (func(context.Context) error, error) {
	if how == "" {
		switch {
		case os.Getenv("OTEL_SDK_DISABLED") == "true" || os.Getenv("OTEL_TRACES_EXPORTER") == "none":
		case os.Getenv("OTEL_TRACES_EXPORTER") == "console":
			how = "stdout"
		case os.Getenv("OTEL_TRACES_EXPORTER") == "otlp", os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "", os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != "":
			how = "otlp"
		}
	}
	var exporter trace.SpanExporter
	var err error
	switch how {
	case "":
		return func(context.Context) error { return nil }, nil
	case "stdout":
		exporter, err = stdouttrace.New(stdouttrace.WithWriter(w))
	case "otlp":
		exporter, err = otlptracehttp.New(ctx)
	default:
		return nil, fmt.Errorf("--trace %q: must be stdout or otlp", how)
	}
	if err != nil {
		return nil, fmt.Errorf("setting up traces: %w", err)
	}
	// What the environment says of the service comes last, so that it counts.
	about, err := resource.New(ctx, resource.WithAttributes(semconv.ServiceName(service), semconv.ServiceVersion(version)), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("setting up traces: %w", err)
	}
	p := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about))
	otel.SetTracerProvider(p)
	return p.Shutdown, nil
}
