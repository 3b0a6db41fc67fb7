"""Dead letters on their way: from the journal to their topic, each exactly once.

A letter is in the journal from the moment its payment is noted as refused, and until Kafka has it. What was on its way
when the app died is looked for in the topic, as payments are.
"""

import logging
from itertools import groupby

from dashboard.local.shop.journal import End
from dashboard.local.shop.letter_journal import Letter, LetterJournal
from dashboard.local.shop.outlet import Outlet, Record
from dashboard.local.shop.settlement import settle
from dashboard.local.shop.topics import read_from, topic_ends, wait_for_topic
from dashboard.local.shop.wire import order_id_of
from dashboard.local.worker import Stop

log = logging.getLogger(__name__)


class LetterBox:
    """The journal's letters; one outlet a topic, kept open."""

    def __init__(self, servers: str, journal: LetterJournal, stop: Stop) -> None:
        self._servers = servers
        self._journal = journal
        self._stop = stop
        self._outlets: dict[str, Outlet] = {}

    def settle(self) -> None:
        """Finds out which letters arrived before the last run died; the others are sent again by `send`."""
        for topic, letters in self._waiting():
            ends = self._journal.letter_ends(topic)
            if not ends:
                # nothing was ever sent there
                continue
            found = ((order_id_of(record.key), record) for record in read_from(self._servers, topic, ends, self._stop))
            settlement = settle({(letter.order_id, letter.sent_as): letter.row for letter in letters}, ends, found)
            arrived = {letter.row for letter in letters} - set(settlement.void)
            self._journal.letters_arrived(topic, arrived, settlement.ends)
            log.info("Settled %d dead letters in flight: %d never reached Kafka.", len(letters), len(settlement.void))

    def send(self) -> None:
        """Returns when Kafka has every letter; waits for it, however long it takes.

        Raises Interrupted when told to stop meanwhile, and StackError when Kafka refuses one for good.
        """
        for topic, letters in self._waiting():
            outlet = self._outlets.get(topic) or self._open(topic)
            ends = outlet.send([_record(letter) for letter in letters], self._stop)
            self._journal.letters_arrived(topic, {letter.row for letter in letters}, ends)

    def _waiting(self) -> list[tuple[str, list[Letter]]]:
        """By topic, so that each topic is waited for once."""
        return [(topic, list(some)) for topic, some in groupby(self._journal.letters(), key=lambda one: one.topic)]

    def _open(self, topic: str) -> Outlet:
        partitions = range(wait_for_topic(self._servers, topic, self._stop))
        if not self._journal.letter_ends(topic):
            # from here on, before the first one goes out, the topic can tell what arrived
            now = topic_ends(self._servers, topic, partitions, self._stop)
            self._journal.letters_arrived(topic, (), {number: End(offset, None) for number, offset in now.items()})
        self._outlets[topic] = Outlet(self._servers, topic)
        return self._outlets[topic]


def _record(letter: Letter) -> Record:
    return Record(str(letter.order_id).encode(), letter.value, letter.sent_as, letter.headers)
