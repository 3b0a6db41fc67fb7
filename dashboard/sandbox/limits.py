"""How much one piece of people's SQL may take."""

from datetime import timedelta

ROWS, MOST_ROWS = 1_000, 10_000
"""Of an answer, unless somebody asks for another number; and at most."""
ANSWER_BYTES = 32 * 2**20
"""Of an answer that comes: what is longer is cut."""
MESSAGE_BYTES = ANSWER_BYTES + 8 * 2**20
"""Of what the process says at once: an answer, and what Arrow writes around it."""
TIME = timedelta(seconds=30)
LONGEST_TEXT = 20_000
"""Characters of SQL."""
DUCKDB_MEMORY = "1GB"
PROCESS_BYTES = 4 * 2**30
"""Addresses of the process: DuckDB's limit does not count every text that a function makes."""
CPU_SECONDS = 120
"""A process that nobody ends any more ends itself."""
