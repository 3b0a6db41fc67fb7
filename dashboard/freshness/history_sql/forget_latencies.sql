-- What is too old.
DELETE FROM latencies WHERE minute < $oldest;
