"""What a sandbox and the process that began it say to each other: a few words in JSON, and bytes of Arrow."""

import json
from collections.abc import Mapping
from multiprocessing.connection import Connection
from threading import Lock
from typing import Any

LARGEST = 256 * 2**20
"""Bytes of one message, unless fewer are let in. Nothing is ever unpickled: what a sandbox says is a stranger's."""


class Channel:
    """Two pipes of one end. Raises EOFError where the other end is gone."""

    def __init__(self, reads: int, writes: int, largest: int = LARGEST) -> None:
        """Of the descriptors, which it owns from now on; hears no message that is larger."""
        self._largest = largest
        self._reads = Connection(reads, writable=False)
        self._writes = Connection(writes, readable=False)
        self._lock = Lock()

    def ask(self, words: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        """The answer to a question; several threads may ask, as Arrow's do."""
        with self._lock:
            self.say(words)
            return self.hear()

    def say(self, words: Mapping[str, Any], body: bytes = b"") -> None:
        self._writes.send_bytes(json.dumps(words).encode())
        self._writes.send_bytes(body)

    def hear(self) -> tuple[dict[str, Any], bytes]:
        """Raises ValueError for what is no message."""
        words = json.loads(self._heard())
        body = self._heard()
        if not isinstance(words, dict):
            raise ValueError("A message is an object of JSON.")
        return words, body

    def _heard(self) -> bytes:
        try:
            return self._reads.recv_bytes(self._largest)
        except OSError as error:
            # it ends itself at a message that is too long, and at no other fault
            if self._reads.closed:
                raise ValueError(f"A message has more than {self._largest:,} bytes.") from error
            raise

    def close(self) -> None:
        self._reads.close()
        self._writes.close()
