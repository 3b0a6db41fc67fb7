"""Which offsets a Kafka source had come to, out of the file _metadata of its savepoint.

Source: KafkaPartitionSplitSerializer of Flink's Kafka connector: the topic as Java's UTF with its length, the
partition, the next offset, and the offset to stop at, which is the smallest long for a source without an end.
"""

import re
import struct

_NO_END = struct.pack(">q", -(2**63))


def source_offsets(metadata: bytes, topic: str) -> dict[int, int]:
    """By partition; empty when it says nothing clear. A partition that was not read yet is at a negative offset."""
    name = topic.encode()
    split = re.compile(re.escape(struct.pack(">H", len(name)) + name) + rb"(.{12})" + re.escape(_NO_END), re.DOTALL)
    found: list[tuple[int, int]] = sorted({struct.unpack(">iq", one) for one in split.findall(metadata)})
    offsets = dict(found)
    return offsets if len(offsets) == len(found) else {}
