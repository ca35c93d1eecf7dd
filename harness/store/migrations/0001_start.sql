-- Times are RFC 3339 in UTC. Documents are JSON. Everything but leases is append-only.
-- What stands in double braces is a type or a rule that the two databases spell
-- differently; see migrate.go.

CREATE TABLE runs (
  id           {{text}} PRIMARY KEY,
  plan         {{json "plan"}},
  command      {{text}} NOT NULL,
  model        {{text}} NOT NULL,
  dataset      {{text}} NOT NULL,
  tool_version {{text}} NOT NULL,
  commit_hash  {{text}} NOT NULL,
  started_at   {{text}} NOT NULL
) {{strict}};

-- The state of a run is its newest row here.
CREATE TABLE run_states (
  id     {{serial}},
  run    {{text}} NOT NULL REFERENCES runs (id),
  at     {{text}} NOT NULL,
  state  {{text}} NOT NULL CHECK (state IN ('running', 'interrupted', 'failed', 'done')),
  detail {{text}} NOT NULL
) {{strict}};
CREATE INDEX run_states_run ON run_states (run, id);

-- Who may write to a run: one process at a time, while its heart beats.
CREATE TABLE leases (
  run     {{text}} PRIMARY KEY REFERENCES runs (id),
  owner   {{text}} NOT NULL,
  host    {{text}} NOT NULL,
  pid     {{int}} NOT NULL,
  born_ms {{int}} NOT NULL,
  beat_at {{text}} NOT NULL
) {{strict}};

CREATE TABLE artefacts (
  run         {{text}} NOT NULL REFERENCES runs (id),
  key         {{text}} NOT NULL,
  bits        {{int}} NOT NULL,
  rank_ratio  {{real}} NOT NULL,
  prune_ratio {{real}} NOT NULL,
  path        {{text}} NOT NULL,
  hash        {{text}} NOT NULL,
  cached      {{int}} NOT NULL,
  build_s     {{real}} NOT NULL,
  report      {{json "report"}},
  at          {{text}} NOT NULL,
  PRIMARY KEY (run, key)
) {{strict}};

CREATE TABLE cells (
  run       {{text}} NOT NULL REFERENCES runs (id),
  id        {{text}} NOT NULL,
  position  {{int}} NOT NULL,
  artefact  {{text}} NOT NULL,
  axes      {{json "axes"}},
  PRIMARY KEY (run, id)
) {{strict}};

CREATE TABLE trials (
  id         {{serial}},
  run        {{text}} NOT NULL,
  cell       {{text}} NOT NULL,
  repeat     {{int}} NOT NULL,
  attempt    {{int}} NOT NULL,
  verdict    {{text}} NOT NULL,
  reason     {{text}} NOT NULL,
  started_at {{text}} NOT NULL,
  ended_at   {{text}} NOT NULL,
  result     {{json "result"}},
  UNIQUE (run, cell, repeat, attempt),
  FOREIGN KEY (run, cell) REFERENCES cells (run, id)
) {{strict}};
-- At most one valid attempt of a repeat: a finished trial cannot be run twice.
CREATE UNIQUE INDEX trials_once ON trials (run, cell, repeat) WHERE verdict = 'valid';

CREATE TABLE samples (
  trial      {{int}} NOT NULL REFERENCES trials (id),
  number     {{int}} NOT NULL,
  t_s        {{real}} NOT NULL,
  latency_ms {{real}} NOT NULL,
  items      {{int}} NOT NULL,
  tokens     {{int}} NOT NULL,
  PRIMARY KEY (trial, number)
) {{rowless}};

-- subject is an artefact's key, 'reference' (the dense f32 model) or 'baseline' (bag of words).
CREATE TABLE qualities (
  run       {{text}} NOT NULL REFERENCES runs (id),
  subject   {{text}} NOT NULL,
  threshold {{real}} NOT NULL,
  result    {{json "result"}},
  at        {{text}} NOT NULL,
  PRIMARY KEY (run, subject, threshold)
) {{strict}};

CREATE TABLE events (
  id    {{serial}},
  run   {{text}} NOT NULL REFERENCES runs (id),
  at    {{text}} NOT NULL,
  level {{text}} NOT NULL CHECK (level IN ('info', 'warning', 'error')),
  code  {{text}} NOT NULL,
  text  {{text}} NOT NULL
) {{strict}};
CREATE INDEX events_run ON events (run, id);

{{keep}}
{{range tables}}{{append_only .}}{{end}}
