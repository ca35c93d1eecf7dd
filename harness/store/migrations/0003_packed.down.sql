DROP INDEX samples_run;
ALTER TABLE samples RENAME TO packed;
CREATE TABLE samples (
  trial      {{int}} NOT NULL REFERENCES trials (id),
  number     {{int}} NOT NULL,
  t_s        {{real}} NOT NULL,
  latency_ms {{real}} NOT NULL,
  items      {{int}} NOT NULL,
  tokens     {{int}} NOT NULL,
  PRIMARY KEY (trial, number)
) {{rowless}};

-- step: unpack

DROP TABLE packed;
{{append_only "samples"}}
