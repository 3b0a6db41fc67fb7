-- name:    revenue_by_day
-- asks:    how much revenue fell on each day of the reader's time zone, which has 23 or 25 hours when clocks change
-- params:  $start TIMESTAMP in UTC, inclusive; $end TIMESTAMP in UTC, exclusive; $zone VARCHAR, such as Europe/Berlin
-- grain:   one row per local day that holds a window, oldest first; a day without one has no row
-- columns: local_day DATE in $zone; windows BIGINT; revenue DECIMAL(38, 2)
-- reads:   revenue_summary
WITH placed AS (
    -- time zones differ by quarters of an hour at least, and converting each row costs ten times as much
    SELECT
        DATE_TRUNC('minute', window_start) - MOD(MINUTE(window_start), 15) * INTERVAL '1' MINUTE AS quarter_hour,
        total_revenue
    FROM revenue_summary
    WHERE
        window_start >= $start
        AND window_start < $end
),

quarter_hours AS (
    SELECT
        CAST(quarter_hour AT TIME ZONE 'UTC' AT TIME ZONE $zone AS DATE) AS local_day,
        COUNT(*) AS windows,
        SUM(total_revenue) AS revenue
    FROM placed
    GROUP BY quarter_hour
)

SELECT
    local_day,
    CAST(SUM(windows) AS BIGINT) AS windows,
    SUM(revenue) AS revenue
FROM quarter_hours
GROUP BY local_day
ORDER BY local_day;
