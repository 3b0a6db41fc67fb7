-- name:    revenue_compared
-- asks:    what a stretch of time came to, beside the one before it
-- params:  $start, $middle and $end TIMESTAMP in UTC: [$start, $middle) is the stretch before, [$middle, $end) the later
-- grain:   one row per stretch that holds a window, the earlier first
-- columns: is_later BOOLEAN; windows, orders, uncounted and faults BIGINT; revenue DECIMAL(38, 2)
-- reads:   revenue_buckets
SELECT
    bucket_start >= $middle AS is_later,
    CAST(SUM(windows) AS BIGINT) AS windows,
    CAST(SUM(revenue) AS DECIMAL(38, 2)) AS revenue,
    CAST(SUM(orders) AS BIGINT) AS orders,
    CAST(SUM(uncounted) AS BIGINT) AS uncounted,
    CAST(SUM(faults) AS BIGINT) AS faults
FROM revenue_buckets
GROUP BY 1
ORDER BY 1;
