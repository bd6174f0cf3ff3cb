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
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code muond bench stream}: how fast gradients go up and weights come down. */
@Command(name = "stream", description = "Times uploads of gradients and downloads of weights.")
final class BenchStreamCommand extends MeasuringCommand {
  private static final long MEGABYTE = 1_000_000;
  private static final long MAX_MEGABYTES = 8_000;
  private static final double GIGA = 1e9;

  @Option(
      names = "--sizes",
      split = ",",
      paramLabel = "MB",
      defaultValue = "1,64",
      description = "Sizes in MB. Default: ${DEFAULT-VALUE}.")
  private List<Long> sizes;

  @Option(
      names = "--repeats",
      defaultValue = "5",
      paramLabel = "N",
      description = "Timed transfers, after one that is not. Default: ${DEFAULT-VALUE}.")
  private int repeats;

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
    Table table = new Table("MB", "push GB/s", "pull GB/s");
    for (Result result : results) {
      table.row(result.bytes() / MEGABYTE, result.push() / GIGA, result.pull() / GIGA);
    }
    console().out().print(table);
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
              bytes / medianSeconds(() -> push(model, gradients)),
              bytes / medianSeconds(() -> pull(model)));
        });
  }

  private double medianSeconds(Transfer transfer) {
    transfer.seconds();
    List<Double> seconds = new ArrayList<>();
    for (int i = 0; i < repeats; i++) {
      seconds.add(transfer.seconds());
    }
    return Statistics.median(seconds);
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
      entry.add("push_gigabytes_per_second", Json.number(result.push() / GIGA));
      entry.add("pull_gigabytes_per_second", Json.number(result.pull() / GIGA));
      array.add(entry);
    }
    json.add("results", array);
    return json;
  }

  /** Bytes per second in both directions. */
  private record Result(long bytes, double push, double pull) {}

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
