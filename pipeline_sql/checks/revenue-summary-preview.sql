-- name:    revenue-summary-preview
-- asks:    what the revenue table holds
-- params:  none
-- grain:   one row per window [window_start, window_end)
-- columns: window_start and window_end in UTC; total_revenue in the shop's currency
-- reads:   revenue_summary
SELECT
    window_start,
    window_end,
    total_revenue
FROM revenue_summary;
