-- Beside River's own tables, which hold the jobs. Times are microseconds since
-- 1970 by the clock of the database. Documents are JSON. One text for both
-- databases: the words in braces are their dialect's.

-- A board and who may drive it. fence grows with every lease.
CREATE TABLE lab_boards (
  name       TEXT PRIMARY KEY,
  holder     TEXT NOT NULL DEFAULT '',
  fence      BIGINT NOT NULL DEFAULT 0,
  expires_us BIGINT NOT NULL DEFAULT 0,
  seen_us    BIGINT NOT NULL DEFAULT 0,
  drained    INTEGER NOT NULL DEFAULT 0,
  doing      TEXT NOT NULL DEFAULT ''
);

-- Every lease that was granted; until_us is when it ended, 0 while it lasts.
CREATE TABLE lab_leases (
  board    TEXT NOT NULL REFERENCES lab_boards (name),
  fence    BIGINT NOT NULL,
  holder   TEXT NOT NULL,
  from_us  BIGINT NOT NULL,
  until_us BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (board, fence)
);

CREATE TABLE lab_reservations (
  id       TEXT PRIMARY KEY,
  board    TEXT NOT NULL REFERENCES lab_boards (name),
  owner    TEXT NOT NULL,
  from_us  BIGINT NOT NULL,
  until_us BIGINT NOT NULL
);
CREATE INDEX lab_reservations_board ON lab_reservations (board, until_us);

CREATE TABLE lab_sweeps (
  id         TEXT PRIMARY KEY,
  owner      TEXT NOT NULL,
  title      TEXT NOT NULL,
  plan       TEXT NOT NULL,
  priority   INTEGER NOT NULL,
  total      BIGINT NOT NULL,
  created_us BIGINT NOT NULL,
  ended_us   BIGINT NOT NULL DEFAULT 0,
  state      TEXT NOT NULL CHECK (state IN ('active', 'done', 'canceled'))
);
CREATE INDEX lab_sweeps_state ON lab_sweeps (state, created_us);

-- River queues hold the jobs of one user on one board.
CREATE TABLE lab_queues (
  name  TEXT PRIMARY KEY,
  board TEXT NOT NULL REFERENCES lab_boards (name),
  owner TEXT NOT NULL
);
CREATE INDEX lab_queues_board ON lab_queues (board);

-- Attempts that were recorded under a lease. The last one of a (sweep, cell, repeat)
-- is the one that ends it: there is at most one, and at most one valid one.
CREATE TABLE lab_trials (
  sweep      TEXT NOT NULL REFERENCES lab_sweeps (id),
  cell       TEXT NOT NULL,
  repeat     INTEGER NOT NULL,
  attempt    INTEGER NOT NULL,
  board      TEXT NOT NULL,
  fence      BIGINT NOT NULL,
  controller TEXT NOT NULL,
  verdict    TEXT NOT NULL,
  reason     TEXT NOT NULL,
  last       INTEGER NOT NULL,
  started_us BIGINT NOT NULL,
  ended_us   BIGINT NOT NULL,
  record     TEXT NOT NULL,
  PRIMARY KEY (sweep, cell, repeat, attempt)
);
CREATE UNIQUE INDEX lab_trials_last ON lab_trials (sweep, cell, repeat) WHERE last = 1;
CREATE UNIQUE INDEX lab_trials_valid ON lab_trials (sweep, cell, repeat) WHERE verdict = 'valid';
CREATE INDEX lab_trials_board ON lab_trials (board, ended_us);

-- What is told of a sweep while it is measured.
CREATE TABLE lab_log (
  id    {serial},
  sweep TEXT NOT NULL REFERENCES lab_sweeps (id),
  board TEXT NOT NULL,
  at_us BIGINT NOT NULL,
  level TEXT NOT NULL,
  text  TEXT NOT NULL
);
CREATE INDEX lab_log_sweep ON lab_log (sweep, id);
