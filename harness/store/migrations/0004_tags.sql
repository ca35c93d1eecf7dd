-- A tag names a run, such as the baseline of a gate, and keeps it from being pruned.
CREATE TABLE tags (
  name {{text}} PRIMARY KEY,
  run  {{text}} NOT NULL REFERENCES runs (id),
  at   {{text}} NOT NULL
) {{strict}};
CREATE INDEX tags_run ON tags (run);

-- Runs that were removed. Only what belongs to one of them may be deleted, and a
-- merge does not bring it back.
CREATE TABLE pruned (
  run {{text}} PRIMARY KEY,
  at  {{text}} NOT NULL
) {{strict}};

{{keep_unless_pruned}}
