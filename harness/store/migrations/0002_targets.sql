-- A run may measure on several machines: every cell has one, an event may.
ALTER TABLE cells ADD COLUMN target {{text}} NOT NULL DEFAULT 'local';
ALTER TABLE events ADD COLUMN target {{text}} NOT NULL DEFAULT '';
CREATE INDEX cells_target ON cells (run, target);
