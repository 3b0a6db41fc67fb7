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
 * Takes the value out of the records at the places in the property `sales.skipped`, "topic:partition:offset,…"; a
 * format goes past a record without a value.
 *
 * The record itself stays: Flink's position follows the records it is given, so were one left out at the end of a
 * partition, the committed offset would stay before it.
 */
public final class SkipRecords implements ConsumerInterceptor<byte[], byte[]> {
    private static final int NO_SIZE = ConsumerRecord.NULL_SIZE;

    private final Set<String> skipped = new HashSet<>();

    @Override
    public void configure(Map<String, ?> properties) {
        skipped.addAll(List.of(properties.get("sales.skipped").toString().split(",")));
    }

    @Override
    public ConsumerRecords<byte[], byte[]> onConsume(ConsumerRecords<byte[], byte[]> batch) {
        Map<TopicPartition, List<ConsumerRecord<byte[], byte[]>>> records = new HashMap<>();
        for (TopicPartition partition : batch.partitions()) {
            List<ConsumerRecord<byte[], byte[]>> inOrder = new ArrayList<>();
            for (ConsumerRecord<byte[], byte[]> record : batch.records(partition)) {
                String place = record.topic() + ":" + record.partition() + ":" + record.offset();
                inOrder.add(skipped.contains(place) ? withoutValue(record) : record);
            }
            records.put(partition, inOrder);
        }
        return new ConsumerRecords<>(records);
    }

    private static ConsumerRecord<byte[], byte[]> withoutValue(ConsumerRecord<byte[], byte[]> record) {
        return new ConsumerRecord<>(
                record.topic(),
                record.partition(),
                record.offset(),
                record.timestamp(),
                record.timestampType(),
                record.serializedKeySize(),
                NO_SIZE,
                record.key(),
                null,
                record.headers(),
                record.leaderEpoch());
    }

    @Override
    public void onCommit(Map<TopicPartition, OffsetAndMetadata> offsets) {}

    @Override
    public void close() {}
}
