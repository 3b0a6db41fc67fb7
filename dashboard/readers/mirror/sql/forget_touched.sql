-- Before they are summed up anew.
DELETE FROM quarter_hours
WHERE bucket_start IN (SELECT TIME_BUCKET(INTERVAL '15 minutes', batch.window_start) FROM batch);
