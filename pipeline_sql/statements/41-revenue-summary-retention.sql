-- name:    revenue-summary-retention
-- makes:   revenue_summary kept for ever, as payments is; nothing reads it here, but people do
-- params:  none
-- grain:   none, it alters a table
-- columns: none
-- reads:   none
-- the linter does not know ALTER TABLE … SET; Flink itself checks it
-- noqa: disable=PRS
ALTER TABLE revenue_summary SET ('kafka.retention.time' = '0 ms');
