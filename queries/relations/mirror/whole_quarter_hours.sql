-- name:    whole_quarter_hours
-- makes:   what stands for revenue_buckets where a range begins and ends with quarter hours: half of the planning
-- params:  $start and $end TIMESTAMP in UTC, inclusive and exclusive, both whole quarter hours
-- grain:   one row per quarter hour
-- columns: as of revenue_buckets
-- reads:   none
SELECT
    bucket_start,
    bucket_second,
    windows,
    revenue,
    orders,
    uncounted,
    faults
FROM quarter_hours
WHERE
    bucket_start >= $start
    AND bucket_start < $end;
