package sales;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.ConsumerInterceptor;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.TopicPartition;

/**
 * Stands before the format of an input topic.
 *
 * From the records at the places in the property `sales.skipped`, "topic:partition:offset,…", it takes the value: a
 * format goes past a record without one. The record itself stays: Flink's position follows the records it is given, so
 * were one left out at the end of a partition, the committed offset would stay before it.
 *
 * Of a value above `sales.largest-bytes` it leaves nothing, which no format can read: the statement stops at once, and
 * not later at its sink, when its checkpoints already hold what can neither be written nor skipped.
 */
public final class GuardRecords implements ConsumerInterceptor<byte[], byte[]> {
    private static final byte[] UNREADABLE = new byte[0];

    private final Set<String> skipped = new HashSet<>();
    private int largestBytes;

    @Override
    public void configure(Map<String, ?> properties) {
        largestBytes = Integer.parseInt(properties.get("sales.largest-bytes").toString());
        Object places = properties.get("sales.skipped");
        if (places != null) {
            skipped.addAll(List.of(places.toString().split(",")));
        }
    }

    @Override
    public ConsumerRecords<byte[], byte[]> onConsume(ConsumerRecords<byte[], byte[]> batch) {
        Map<TopicPartition, List<ConsumerRecord<byte[], byte[]>>> records = new HashMap<>();
        for (TopicPartition partition : batch.partitions()) {
            List<ConsumerRecord<byte[], byte[]>> inOrder = new ArrayList<>();
            for (ConsumerRecord<byte[], byte[]> record : batch.records(partition)) {
                inOrder.add(guarded(record));
            }
            records.put(partition, inOrder);
        }
        return new ConsumerRecords<>(records);
    }

    private ConsumerRecord<byte[], byte[]> guarded(ConsumerRecord<byte[], byte[]> record) {
        if (!skipped.isEmpty() && skipped.contains(record.topic() + ":" + record.partition() + ":" + record.offset())) {
            return withValue(record, null);
        }
        return record.serializedValueSize() > largestBytes ? withValue(record, UNREADABLE) : record;
    }

    private static ConsumerRecord<byte[], byte[]> withValue(ConsumerRecord<byte[], byte[]> record, byte[] value) {
        return new ConsumerRecord<>(
                record.topic(),
                record.partition(),
                record.offset(),
                record.timestamp(),
                record.timestampType(),
                record.serializedKeySize(),
                value == null ? ConsumerRecord.NULL_SIZE : value.length,
                record.key(),
                value,
                record.headers(),
                record.leaderEpoch());
    }

    @Override
    public void onCommit(Map<TopicPartition, OffsetAndMetadata> offsets) {}

    @Override
    public void close() {}
}
