"""For how long records have waited to be read, by when the ends of topics were seen where.

Source: the method of kafka-lag-exporter, https://github.com/seglo/kafka-lag-exporter: offsets are turned into times by
interpolation in a table of what was seen.
"""

import threading
from bisect import bisect_right
from datetime import datetime, timedelta

_MOST = 240
"""Of points a topic; beyond it every second one of the older half is forgotten."""


class Backlog:
    """Of the topics of one cluster; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._points: dict[str, list[tuple[int, datetime]]] = {}
        """By topic, oldest first: the end of all its partitions together, and when it was first seen there.

        While nothing comes, the last one stands for the whole time since then: `_until` is how far.
        """
        self._until: dict[str, datetime] = {}

    def topics(self) -> list[str]:
        with self._lock:
            return list(self._points)

    def note(self, topic: str, end: int, at: datetime) -> None:
        """`end` was seen at that time. One before the last belongs to a topic that was made anew."""
        with self._lock:
            points = self._points.setdefault(topic, [])
            if points and end < points[-1][0]:
                points.clear()
            if not points or end > points[-1][0]:
                if points and self._until[topic] > points[-1][1]:
                    # nothing had come until then: what is new came after it
                    points.append((points[-1][0], self._until[topic]))
                points.append((end, at))
                if len(points) > _MOST:
                    half = len(points) // 2
                    points[:half] = points[:half:2]
            self._until[topic] = at

    def waited(self, topic: str, pending: int) -> timedelta | None:
        """How long ago the oldest of the last `pending` records came, at the last look.

        At least so long where that was before the first look. None where nothing was watched yet.
        """
        if pending <= 0:
            return timedelta(0)
        with self._lock:
            points = self._points.get(topic, [])
            if not points or self._until[topic] == points[0][1]:
                return None
            now = self._until[topic]
            read = points[-1][0] - pending
            after = bisect_right(points, read, key=lambda point: point[0])
            if after == 0:
                return now - points[0][1]
            (end_before, before), (end, came) = points[after - 1], points[after]
        return now - (before + (came - before) * ((read - end_before) / (end - end_before)))
