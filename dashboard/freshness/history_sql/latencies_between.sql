-- How many windows came in each step, by bucket.
SELECT
    (minute - $start_minute) / $step_minutes AS place,
    bucket,
    SUM(windows) AS windows
FROM latencies
WHERE minute >= $start_minute AND minute < $end_minute
GROUP BY place, bucket
ORDER BY place, bucket;
