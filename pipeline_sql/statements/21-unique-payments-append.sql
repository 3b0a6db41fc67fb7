-- name:    unique-payments-append
-- makes:   unique_payments append-only, so that Tableflow and the join read it as it is
-- params:  none
-- grain:   none, it alters a table
-- columns: none
-- reads:   none
-- the linter does not know ALTER TABLE … SET; Flink itself checks it
-- noqa: disable=PRS
ALTER TABLE unique_payments SET ('changelog.mode' = 'append');
