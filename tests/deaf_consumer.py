"""A consumer of Kafka that hears of one partition alone, as where another one has no leader."""

import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import Consumer


def deaf_consumer(said: Sequence[Any] = ()) -> type[Consumer]:
    """Of partition 0 more comes all the time; of the others nothing, or what is `said` at each call instead.

    Fails who listens to it for more than ten seconds.
    """
    begun = time.monotonic()

    class Deaf(Consumer):
        def consume(self, *words: Any, **named: Any) -> list[Any]:
            assert time.monotonic() - begun < 10, "it waits without end"
            heard = [one for one in super().consume(*words, **named) if not one.partition()]
            self.last = [one for one in heard if one.error() is None] or getattr(self, "last", [])
            return [*(heard or self.last), *said]

    return Deaf
