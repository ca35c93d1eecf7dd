-- Times are RFC 3339 in UTC. Documents are JSON. Everything but leases is append-only.

CREATE TABLE runs (
  id           TEXT PRIMARY KEY,
  plan         TEXT NOT NULL CHECK (json_valid(plan)),
  command      TEXT NOT NULL,
  model        TEXT NOT NULL,
  dataset      TEXT NOT NULL,
  tool_version TEXT NOT NULL,
  commit_hash  TEXT NOT NULL,
  started_at   TEXT NOT NULL
) STRICT;

-- The state of a run is its newest row here.
CREATE TABLE run_states (
  id     INTEGER PRIMARY KEY,
  run    TEXT NOT NULL REFERENCES runs (id),
  at     TEXT NOT NULL,
  state  TEXT NOT NULL CHECK (state IN ('running', 'interrupted', 'failed', 'done')),
  detail TEXT NOT NULL
) STRICT;
CREATE INDEX run_states_run ON run_states (run, id);

-- Who may write to a run: one process at a time, while its heart beats.
CREATE TABLE leases (
  run     TEXT PRIMARY KEY REFERENCES runs (id),
  owner   TEXT NOT NULL,
  host    TEXT NOT NULL,
  pid     INTEGER NOT NULL,
  born_ms INTEGER NOT NULL,
  beat_at TEXT NOT NULL
) STRICT;

CREATE TABLE artefacts (
  run         TEXT NOT NULL REFERENCES runs (id),
  key         TEXT NOT NULL,
  bits        INTEGER NOT NULL,
  rank_ratio  REAL NOT NULL,
  prune_ratio REAL NOT NULL,
  path        TEXT NOT NULL,
  hash        TEXT NOT NULL,
  cached      INTEGER NOT NULL,
  build_s     REAL NOT NULL,
  report      TEXT NOT NULL CHECK (json_valid(report)),
  at          TEXT NOT NULL,
  PRIMARY KEY (run, key)
) STRICT;

CREATE TABLE cells (
  run       TEXT NOT NULL REFERENCES runs (id),
  id        TEXT NOT NULL,
  position  INTEGER NOT NULL,
  artefact  TEXT NOT NULL,
  axes      TEXT NOT NULL CHECK (json_valid(axes)),
  PRIMARY KEY (run, id)
) STRICT;

CREATE TABLE trials (
  id         INTEGER PRIMARY KEY,
  run        TEXT NOT NULL,
  cell       TEXT NOT NULL,
  repeat     INTEGER NOT NULL,
  attempt    INTEGER NOT NULL,
  verdict    TEXT NOT NULL,
  reason     TEXT NOT NULL,
  started_at TEXT NOT NULL,
  ended_at   TEXT NOT NULL,
  result     TEXT NOT NULL CHECK (json_valid(result)),
  UNIQUE (run, cell, repeat, attempt),
  FOREIGN KEY (run, cell) REFERENCES cells (run, id)
) STRICT;

-- At most one valid attempt of a repeat: a finished trial cannot be run twice.
CREATE UNIQUE INDEX trials_once ON trials (run, cell, repeat) WHERE verdict = 'valid';

CREATE TABLE samples (
  trial      INTEGER NOT NULL REFERENCES trials (id),
  number     INTEGER NOT NULL,
  t_s        REAL NOT NULL,
  latency_ms REAL NOT NULL,
  items      INTEGER NOT NULL,
  tokens     INTEGER NOT NULL,
  PRIMARY KEY (trial, number)
) STRICT, WITHOUT ROWID;

-- subject is an artefact's key, 'reference' (the dense f32 model) or 'baseline' (bag of words).
CREATE TABLE qualities (
  run       TEXT NOT NULL REFERENCES runs (id),
  subject   TEXT NOT NULL,
  threshold REAL NOT NULL,
  result    TEXT NOT NULL CHECK (json_valid(result)),
  at        TEXT NOT NULL,
  PRIMARY KEY (run, subject, threshold)
) STRICT;

CREATE TABLE events (
  id    INTEGER PRIMARY KEY,
  run   TEXT NOT NULL REFERENCES runs (id),
  at    TEXT NOT NULL,
  level TEXT NOT NULL CHECK (level IN ('info', 'warning', 'error')),
  code  TEXT NOT NULL,
  text  TEXT NOT NULL
) STRICT;
CREATE INDEX events_run ON events (run, id);

CREATE TRIGGER runs_keep_update BEFORE UPDATE ON runs BEGIN SELECT RAISE(ABORT, 'runs is append-only'); END;
CREATE TRIGGER runs_keep_delete BEFORE DELETE ON runs BEGIN SELECT RAISE(ABORT, 'runs is append-only'); END;

CREATE TRIGGER run_states_keep_update BEFORE UPDATE ON run_states BEGIN SELECT RAISE(ABORT, 'run_states is append-only'); END;
CREATE TRIGGER run_states_keep_delete BEFORE DELETE ON run_states BEGIN SELECT RAISE(ABORT, 'run_states is append-only'); END;

CREATE TRIGGER artefacts_keep_update BEFORE UPDATE ON artefacts BEGIN SELECT RAISE(ABORT, 'artefacts is append-only'); END;
CREATE TRIGGER artefacts_keep_delete BEFORE DELETE ON artefacts BEGIN SELECT RAISE(ABORT, 'artefacts is append-only'); END;

CREATE TRIGGER cells_keep_update BEFORE UPDATE ON cells BEGIN SELECT RAISE(ABORT, 'cells is append-only'); END;
CREATE TRIGGER cells_keep_delete BEFORE DELETE ON cells BEGIN SELECT RAISE(ABORT, 'cells is append-only'); END;

CREATE TRIGGER trials_keep_update BEFORE UPDATE ON trials BEGIN SELECT RAISE(ABORT, 'trials is append-only'); END;
CREATE TRIGGER trials_keep_delete BEFORE DELETE ON trials BEGIN SELECT RAISE(ABORT, 'trials is append-only'); END;

CREATE TRIGGER samples_keep_update BEFORE UPDATE ON samples BEGIN SELECT RAISE(ABORT, 'samples is append-only'); END;
CREATE TRIGGER samples_keep_delete BEFORE DELETE ON samples BEGIN SELECT RAISE(ABORT, 'samples is append-only'); END;

CREATE TRIGGER qualities_keep_update BEFORE UPDATE ON qualities BEGIN SELECT RAISE(ABORT, 'qualities is append-only'); END;
CREATE TRIGGER qualities_keep_delete BEFORE DELETE ON qualities BEGIN SELECT RAISE(ABORT, 'qualities is append-only'); END;

CREATE TRIGGER events_keep_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events is append-only'); END;
CREATE TRIGGER events_keep_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events is append-only'); END;
