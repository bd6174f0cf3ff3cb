package io.muond.client.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.protobuf.Duration;
import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.client.OpenStep;
import io.muond.client.Progress;
import io.muond.client.ReadOptions;
import io.muond.client.WeightsSink;
import io.muond.units.ProcessUse;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Manifold;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import io.muond.v1.WeightsHeader;
import io.muond.wire.Chunk;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code muond bench stream}: how fast gradients go up and weights come down. */
@Command(name = "stream", description = "Times uploads of gradients and downloads of weights.")
final class BenchStreamCommand extends MeasuringCommand {
  private static final long MEGABYTE = 1_000_000;
  private static final long MAX_MEGABYTES = 8_000;
  private static final double GIGA = 1e9;
  private static final long TOGETHER = 64 * MEGABYTE;

  @Option(
      names = "--sizes",
      split = ",",
      paramLabel = "MB",
      defaultValue = "1,64,1000",
      description = "Sizes in MB. Default: ${DEFAULT-VALUE}.")
  private List<Long> sizes;

  @Option(
      names = "--repeats",
      defaultValue = "5",
      paramLabel = "N",
      description = "Timed transfers, at least. Default: ${DEFAULT-VALUE}.")
  private int repeats;

  @Option(
      names = "--warm-up",
      defaultValue = "1",
      paramLabel = "GB",
      description = "What is moved before, for each size and direction. Default: ${DEFAULT-VALUE}.")
  private double warmUp;

  @Override
  void check() {
    if (sizes.isEmpty()) {
      throw new IllegalArgumentException("--sizes: none (expected: at least one)");
    }
    for (long size : sizes) {
      if (size < 1 || size > MAX_MEGABYTES) {
        throw new IllegalArgumentException(
            "--sizes: %d (expected: 1 to %d MB)".formatted(size, MAX_MEGABYTES));
      }
    }
    requirePositive("--repeats", repeats);
    if (!(warmUp >= 0 && warmUp <= MAX_MEGABYTES)) {
      throw new IllegalArgumentException(
          "--warm-up: %s (expected: 0 to %d GB)".formatted(warmUp, MAX_MEGABYTES));
    }
  }

  @Override
  void run(MuondClient client) throws IOException {
    List<Result> results = new ArrayList<>();
    try (Progress progress = console().progress("measuring", sizes.size(), "sizes")) {
      for (long size : sizes) {
        measuring("--sizes: " + size);
        results.add(measure(client, size * MEGABYTE));
        progress.update(results.size());
      }
    }
    if (json()) {
      console().out().println(Json.text(json(client.target(), results)));
      return;
    }
    Table table = new Table("MB", "", "GB/s", "CPU s/GB", "client MB/GB", "server MB/GB");
    for (Result result : results) {
      row(table, result.bytes(), "push", result.push());
      row(table, result.bytes(), "pull", result.pull());
    }
    console().out().print(table);
  }

  private static void row(Table table, long bytes, String direction, Moved moved) {
    table.row(
        bytes / MEGABYTE,
        direction,
        1 / moved.seconds(),
        moved.cpuSeconds(),
        moved.clientBytes() / MEGABYTE,
        moved.serverBytes() / MEGABYTE);
  }

  private Result measure(MuondClient client, long bytes) throws IOException {
    long elements = bytes / Float.BYTES;
    return LeasedModel.use(
        client,
        (name, lease) -> request(name, lease, elements),
        console(),
        model -> {
          Map<String, Ramp> gradients = Map.of("w", new Ramp(elements));
          return new Result(
              bytes,
              median(client, bytes, () -> push(model, gradients)),
              median(client, bytes, () -> pull(model)));
        });
  }

  private Moved median(MuondClient client, long bytes, Transfer transfer) {
    for (double moved = 0; moved < warmUp * GIGA; moved += bytes) {
      transfer.seconds();
    }
    // What processes used is counted for several small transfers together.
    int together = (int) Math.max(1, TOGETHER / bytes);
    List<Moved> all = new ArrayList<>();
    for (int i = 0; i < repeats; i++) {
      all.add(measure(client, bytes, together, transfer));
    }
    return new Moved(
        median(all, Moved::seconds),
        median(all, Moved::cpuSeconds),
        median(all, Moved::clientBytes),
        median(all, Moved::serverBytes));
  }

  private static double median(List<Moved> all, ToDoubleFunction<Moved> number) {
    return Statistics.median(all.stream().map(number::applyAsDouble).toList());
  }

  private static Moved measure(MuondClient client, long bytes, int times, Transfer transfer) {
    double gigabytes = times * bytes / GIGA;
    var server = client.serverInfo().getProcessUse();
    ProcessUse own = ProcessUse.now();
    List<Double> seconds = new ArrayList<>();
    for (int i = 0; i < times; i++) {
      seconds.add(transfer.seconds());
    }
    ProcessUse used = ProcessUse.now().since(own);
    var then = client.serverInfo().getProcessUse();
    return new Moved(
        Statistics.median(seconds) / (bytes / GIGA),
        (used.cpuSeconds() + then.getCpuSeconds() - server.getCpuSeconds()) / gigabytes,
        used.allocatedBytes() / gigabytes,
        (then.getAllocatedBytes() - server.getAllocatedBytes()) / gigabytes);
  }

  /** Fills a step, which is then dropped. */
  private static double push(ModelHandle model, Map<String, Ramp> gradients) {
    OpenStep step = model.openStep();
    long start = System.nanoTime();
    step.fill(gradients);
    double seconds = (System.nanoTime() - start) * 1e-9;
    step.abort();
    return seconds;
  }

  private static double pull(ModelHandle model) {
    long start = System.nanoTime();
    model.readWeights(ReadOptions.ALL, new Discard());
    return (System.nanoTime() - start) * 1e-9;
  }

  /** A sphere: its initial weights cost nothing to make. */
  private static CreateModelRequest request(String name, Duration lease, long elements) {
    Parameter parameter =
        Parameter.newBuilder()
            .setName("w")
            .addShape(elements)
            .setManifold(Manifold.MANIFOLD_SPHERE)
            .build();
    return CreateModelRequest.newBuilder()
        .setModel(name)
        .setParameters(ParameterList.newBuilder().addParameters(parameter))
        .setSeed(1)
        .setLeaseTtl(lease)
        .build();
  }

  private static JsonObject json(String server, List<Result> results) {
    JsonObject json = new JsonObject();
    json.addProperty("server", server);
    JsonArray array = new JsonArray();
    for (Result result : results) {
      JsonObject entry = new JsonObject();
      entry.addProperty("bytes", result.bytes());
      add(entry, "push", result.push());
      add(entry, "pull", result.pull());
      array.add(entry);
    }
    json.add("results", array);
    return json;
  }

  private static void add(JsonObject entry, String direction, Moved moved) {
    entry.add(direction + "_gigabytes_per_second", Json.number(1 / moved.seconds()));
    entry.add(direction + "_cpu_seconds_per_gigabyte", Json.number(moved.cpuSeconds()));
    entry.add(direction + "_client_allocated_bytes_per_gigabyte", Json.number(moved.clientBytes()));
    entry.add(direction + "_server_allocated_bytes_per_gigabyte", Json.number(moved.serverBytes()));
  }

  private record Result(long bytes, Moved push, Moved pull) {}

  /**
   * What moving a GB took.
   *
   * @param cpuSeconds of the client's and the server's process
   * @param clientBytes bytes of objects that the client made
   * @param serverBytes bytes of objects that the server made
   */
  private record Moved(double seconds, double cpuSeconds, double clientBytes, double serverBytes) {}

  /** One transfer, timed. */
  private interface Transfer {
    double seconds();
  }

  /** Weights that nobody wants. */
  private static final class Discard implements WeightsSink {
    @Override
    public void begin(WeightsHeader header) {}

    @Override
    public void accept(Chunk chunk) {}
  }
}
