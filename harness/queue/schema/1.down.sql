DROP TABLE lab_log;
DROP TABLE lab_trials;
DROP TABLE lab_queues;
DROP TABLE lab_sweeps;
DROP TABLE lab_reservations;
DROP TABLE lab_leases;
DROP TABLE lab_boards;
