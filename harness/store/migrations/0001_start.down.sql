DROP TABLE events;
DROP TABLE qualities;
DROP TABLE samples;
DROP TABLE trials;
DROP TABLE cells;
DROP TABLE artefacts;
DROP TABLE leases;
DROP TABLE run_states;
DROP TABLE runs;
{{unkeep}}
