-- One verdict; a second one of the same millisecond takes its place.
INSERT OR REPLACE INTO verdicts (at_ms, minute, is_change, state, badness, as_of_ms, held, notes)
VALUES ($at_ms, $minute, $is_change, $state, $badness, $as_of_ms, $held, $notes);
