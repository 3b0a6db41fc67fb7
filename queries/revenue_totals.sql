-- name:    revenue_totals
-- asks:    what a stretch of time came to
-- params:  $start and $end TIMESTAMP in UTC, inclusive and exclusive
-- grain:   one row, also where there is no window
-- columns: windows, orders, uncounted and faults BIGINT; revenue DECIMAL(38, 2); all but
--          windows NULL where there is no window
-- reads:   revenue_buckets
SELECT
    CAST(COALESCE(SUM(windows), 0) AS BIGINT) AS windows,
    CAST(SUM(revenue) AS DECIMAL(38, 2)) AS revenue,
    CAST(SUM(orders) AS BIGINT) AS orders,
    CAST(SUM(uncounted) AS BIGINT) AS uncounted,
    CAST(SUM(faults) AS BIGINT) AS faults
FROM revenue_buckets;
