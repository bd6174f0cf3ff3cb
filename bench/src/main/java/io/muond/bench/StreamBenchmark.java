package io.muond.bench;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Moves tensors in all ways, in one run: each contender has a server and a client of its own, which
 * are warmed up, and then they take turns.
 */
@Command(
    name = "bench",
    description = "Moves tensors by muond, protobuf, Arrow Flight and TCP, beside each other.",
    mixinStandardHelpOptions = true)
final class StreamBenchmark implements Callable<Integer> {
  private static final long MEGABYTE = 1_000_000;

  /** What is moved in one turn, at least. */
  private static final long TURN = 512 * MEGABYTE;

  @Option(
      names = "--sizes",
      split = ",",
      defaultValue = "1,64,1000",
      description = "Sizes in MB. Default: ${DEFAULT-VALUE}.")
  private List<Long> sizes;

  @Option(
      names = "--contenders",
      split = ",",
      defaultValue = "MUOND,PROTOBUF,FLIGHT,TCP",
      description = "Which. Default: ${DEFAULT-VALUE}.")
  private List<Contender> contenders;

  @Option(
      names = "--warm-up",
      defaultValue = "5",
      description = "GB in each direction before anything counts. Default: ${DEFAULT-VALUE}.")
  private double warmUp;

  @Option(
      names = "--repeats",
      defaultValue = "11",
      description = "Turns that count, of half a GB or one tensor. Default: ${DEFAULT-VALUE}.")
  private int repeats;

  @Option(
      names = "--server-jar",
      defaultValue = "server/target/muond-server.jar",
      description = "The daemon. Default: ${DEFAULT-VALUE}.")
  private Path serverJar;

  @Option(names = "--json", description = "Prints JSON.")
  private boolean json;

  private final JsonArray results = new JsonArray();

  public static void main(String[] args) {
    System.exit(
        new CommandLine(new StreamBenchmark())
            .setCaseInsensitiveEnumValuesAllowed(true)
            .execute(args));
  }

  @Override
  public Integer call() throws IOException {
    for (long size : sizes) {
      measure(size * MEGABYTE);
    }
    if (json) {
      System.out.println(new GsonBuilder().setPrettyPrinting().create().toJson(results));
    }
    return 0;
  }

  private void measure(long bytes) throws IOException {
    Map<Contender, Pair> pairs = new EnumMap<>(Contender.class);
    try {
      for (Contender contender : contenders) {
        pairs.put(contender, new Pair(contender, bytes, serverJar));
      }
      for (Direction direction : Direction.values()) {
        warmUp(pairs, direction, bytes);
        print(direction, bytes, takeTurns(pairs, direction, bytes));
      }
    } finally {
      pairs.values().forEach(Pair::close);
    }
  }

  private void warmUp(Map<Contender, Pair> pairs, Direction direction, long bytes)
      throws IOException {
    long times = (long) Math.ceil(warmUp * 1e9 / bytes);
    for (Pair pair : pairs.values()) {
      var unused = pair.move(direction, (int) times);
    }
  }

  private Map<Contender, Measured> takeTurns(
      Map<Contender, Pair> pairs, Direction direction, long bytes) throws IOException {
    // Processor time is counted in steps of 10 ms.
    int times = (int) Math.max(1, TURN / bytes);
    Map<Contender, List<Measured>> all = new EnumMap<>(Contender.class);
    for (int round = 0; round < repeats; round++) {
      for (Map.Entry<Contender, Pair> entry : pairs.entrySet()) {
        all.computeIfAbsent(entry.getKey(), c -> new ArrayList<>())
            .add(entry.getValue().move(direction, times));
      }
    }
    Map<Contender, Measured> medians = new EnumMap<>(Contender.class);
    all.forEach(
        (contender, each) -> medians.put(contender, Measured.median(each).per(times * bytes)));
    return medians;
  }

  private void print(Direction direction, long bytes, Map<Contender, Measured> medians) {
    medians.forEach(
        (contender, perGigabyte) -> {
          if (!json) {
            System.out.printf(
                Locale.ROOT,
                "%4d MB %s %-8s %6.3f GB/s %6.3f CPU s/GB  client %8.2f server %8.2f MB of objects/GB%n",
                bytes / MEGABYTE,
                direction.word(),
                contender.name().toLowerCase(Locale.ROOT),
                1 / perGigabyte.seconds(),
                perGigabyte.cpuSeconds(),
                perGigabyte.clientBytes() * 1e-6,
                perGigabyte.serverBytes() * 1e-6);
          }
          JsonObject result = new JsonObject();
          result.addProperty("bytes", bytes);
          result.addProperty("direction", direction.word());
          result.addProperty("contender", contender.name().toLowerCase(Locale.ROOT));
          result.addProperty("gigabytes_per_second", 1 / perGigabyte.seconds());
          result.addProperty("cpu_seconds_per_gigabyte", perGigabyte.cpuSeconds());
          result.addProperty("client_allocated_bytes_per_gigabyte", perGigabyte.clientBytes());
          result.addProperty("server_allocated_bytes_per_gigabyte", perGigabyte.serverBytes());
          results.add(result);
        });
  }
}
