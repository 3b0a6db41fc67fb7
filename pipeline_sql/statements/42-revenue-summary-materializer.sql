-- name:    revenue-summary-materializer
-- makes:   revenue per window: the sum of the amounts, each rounded half-up to cents first
-- params:  window_size, the interval marked so: it divides a day
-- grain:   one row per window [window_start, window_end)
-- columns: window_start and window_end in UTC; total_revenue in the shop's currency
-- reads:   completed_orders
INSERT INTO revenue_summary
SELECT
    window_start,
    window_end,
    -- an amount that does not fit casts to NULL, which SUM would skip: no total then, and NOT NULL stops the statement
    CASE
        WHEN COUNT(amount) = COUNT(CAST(amount AS DECIMAL(18, 2)))
            THEN CAST(SUM(CAST(amount AS DECIMAL(18, 2))) AS DECIMAL(18, 2))
    END AS total_revenue
FROM TABLE(TUMBLE(TABLE completed_orders, DESCRIPTOR(ts), /* window_size */ INTERVAL '5' SECOND))
GROUP BY window_start, window_end;
