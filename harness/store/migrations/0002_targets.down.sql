DROP INDEX cells_target;
ALTER TABLE events DROP COLUMN target;
ALTER TABLE cells DROP COLUMN target;
