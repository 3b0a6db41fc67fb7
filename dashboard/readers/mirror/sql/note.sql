-- Which state of a table the mirror has now.
INSERT INTO mirrored
VALUES ($table_name, $identity, $snapshot_id, $committed_at, $table_rows, $longest, $newest);
