package sales;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.ConsumerInterceptor;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.TopicPartition;

/**
 * Hands on no record while the file named by the property `sales.held-while` exists.
 *
 * It waits in the thread that fetches, not in the task's own: checkpoints go on, and what is held counts as not read,
 * so a failure meanwhile loses nothing.
 */
public final class HoldRecords implements ConsumerInterceptor<byte[], byte[]> {
    private static final long LOOK_AGAIN_MS = 50;

    private Path hold;

    @Override
    public void configure(Map<String, ?> properties) {
        hold = Path.of(properties.get("sales.held-while").toString());
    }

    @Override
    public ConsumerRecords<byte[], byte[]> onConsume(ConsumerRecords<byte[], byte[]> batch) {
        try {
            while (Files.exists(hold)) {
                Thread.sleep(LOOK_AGAIN_MS);
            }
        } catch (InterruptedException ended) {
            // the statement is ending: what is handed on now, no checkpoint counts
            Thread.currentThread().interrupt();
        }
        return batch;
    }

    @Override
    public void onCommit(Map<TopicPartition, OffsetAndMetadata> offsets) {}

    @Override
    public void close() {}
}
