-- One hop of a verdict.
INSERT OR REPLACE INTO delays (at_ms, hop, state, delay_ms, normal_ms, records, reason, hint)
VALUES ($at_ms, $hop, $state, $delay_ms, $normal_ms, $records, $reason, $hint);
