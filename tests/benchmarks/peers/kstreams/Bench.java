// Workload W on Kafka Streams: a KeyValueStore on RocksDB with its changelog, at least once, Jackson, one stream thread.
// The store's cache is off, so that every write reaches the changelog, as with the other systems.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

public class Bench {
  static final ObjectMapper JSON = new ObjectMapper();
  static final OperatingSystemMXBean SYSTEM =
      (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
  static final String[] KEPT = {"invoice_id", "account_id", "status", "balance", "version", "due_on"};
  static volatile int count = 0;
  static volatile long begun = 0;
  static volatile long cpuBegun = 0;

  static class Invoices implements Processor<byte[], byte[], byte[], byte[]> {
    final int emitEvery;
    ProcessorContext<byte[], byte[]> context;
    KeyValueStore<String, byte[]> store;

    Invoices(int emitEvery) {
      this.emitEvery = emitEvery;
    }

    public void init(ProcessorContext<byte[], byte[]> given) {
      context = given;
      store = given.getStateStore("invoices");
    }

    public void process(Record<byte[], byte[]> record) {
      if (begun == 0) {
        cpuBegun = SYSTEM.getProcessCpuTime();
        begun = System.nanoTime();
      }
      try {
        JsonNode event = JSON.readTree(record.value());
        JsonNode data = event.get("data");
        String key = data.get("invoice_id").asText();
        byte[] known = store.get(key);
        if (known != null) {
          JsonNode older = JSON.readTree(known);
          if (older.get("version").asInt() > data.get("version").asInt()) data = older;
        }
        store.put(key, JSON.writeValueAsBytes(data));
        if ((count + 1) % emitEvery == 0) {
          byte[] to = data.get("account_id").asText().getBytes();
          context.forward(new Record<>(to, JSON.writeValueAsBytes(changed(event, data)), record.timestamp()));
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      count++;
    }

    static ObjectNode changed(JsonNode event, JsonNode data) {
      ObjectNode out = JSON.createObjectNode();
      out.put("specversion", "1.0").put("id", "out-" + event.get("id").asText()).put("source", "/bench");
      out.put("type", "bench.invoice.changed").put("time", event.get("time").asText());
      ObjectNode kept = out.put("datacontenttype", "application/json").putObject("data");
      for (String field : KEPT) kept.set(field, data.get(field));
      return out;
    }
  }

  static Properties settings(JsonNode job) {
    Properties settings = new Properties();
    settings.put("application.id", job.get("name").asText());
    settings.put("bootstrap.servers", job.get("bootstrap").asText());
    settings.put("state.dir", job.get("state").asText());
    settings.put("num.stream.threads", 1);
    settings.put("commit.interval.ms", 1000);
    settings.put("processing.guarantee", "at_least_once");
    settings.put("replication.factor", 1);
    settings.put("auto.offset.reset", "earliest");
    settings.put("producer.acks", "all");
    settings.put("producer.linger.ms", "20");
    settings.put("statestore.cache.max.bytes", 0L);
    return settings;
  }

  static Topology topology(JsonNode job, int emitEvery) {
    ByteArrayDeserializer in = new ByteArrayDeserializer();
    ByteArraySerializer out = new ByteArraySerializer();
    Topology topology = new Topology();
    topology.addSource("in", in, in, job.get("events").asText());
    topology.addProcessor("process", () -> new Invoices(emitEvery), "in");
    topology.addStateStore(
        Stores.keyValueStoreBuilder(
                Stores.persistentKeyValueStore("invoices"), Serdes.String(), Serdes.ByteArray())
            .withCachingDisabled(),
        "process");
    topology.addSink("out", job.get("outbox").asText(), out, out, "process");
    return topology;
  }

  static long committed(Admin admin, String group) throws Exception {
    long sum = 0;
    var offsets = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
    for (OffsetAndMetadata offset : offsets.values()) if (offset != null) sum += offset.offset();
    return sum;
  }

  static long peakMegabytes() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status")))
      if (line.startsWith("VmHWM")) return Long.parseLong(line.replaceAll("\\D", "")) / 1024;
    return -1;
  }

  public static void main(String[] arguments) throws Exception {
    JsonNode job = JSON.readTree(arguments[0]);
    int wanted = job.get("count").asInt();
    String name = job.get("name").asText();
    KafkaStreams streams = new KafkaStreams(topology(job, Integer.parseInt(arguments[1])), settings(job));
    streams.start();
    while (count < wanted) Thread.sleep(20);
    Admin admin = Admin.create(Map.of("bootstrap.servers", job.get("bootstrap").asText()));
    while (committed(admin, name) < wanted) Thread.sleep(20);
    ObjectNode result = JSON.createObjectNode();
    result.put("seconds", (System.nanoTime() - begun) / 1e9);
    result.put("cpu_us", (SYSTEM.getProcessCpuTime() - cpuBegun) / 1e3 / wanted);
    result.put("rss_mb", peakMegabytes());
    result.put("journal", name + "-invoices-changelog");
    System.out.println("RESULT " + JSON.writeValueAsString(result));
    streams.close(Duration.ofSeconds(5));
    Runtime.getRuntime().halt(0);
  }
}
