-- The samples of a trial are one value (see samples.go): a row each took forty bytes.
ALTER TABLE samples RENAME TO sample_rows;
CREATE TABLE samples (
  trial {{int}} PRIMARY KEY REFERENCES trials (id),
  run   {{text}} NOT NULL REFERENCES runs (id),
  count {{int}} NOT NULL,
  data  {{blob}} NOT NULL
) {{strict}};
CREATE INDEX samples_run ON samples (run, trial);

-- step: pack

DROP TABLE sample_rows;
{{append_only "samples"}}
