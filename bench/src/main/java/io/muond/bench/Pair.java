package io.muond.bench;

import io.muond.client.MuondClient;
import io.muond.v1.ProcessUse;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A contender's two processes. */
final class Pair implements AutoCloseable {
  private final Child server;
  private final MuondClient daemon;
  private final Child client;

  /**
   * Starts both.
   *
   * @param serverJar the daemon
   */
  Pair(Contender contender, long bytes, Path serverJar) throws IOException {
    String address;
    if (contender == Contender.MUOND) {
      Path ready = Files.createTempDirectory("muond-bench").resolve("ready.json");
      server =
          Child.of(serverJar, "--port=0", "--http-port=0", "--engine=cpu", "--ready-file=" + ready);
      address = address(ready);
      daemon = MuondClient.connect(address);
    } else {
      server = Child.of(Serve.class, contender.name(), Long.toString(bytes));
      address = server.answer();
      daemon = null;
    }
    client = Child.of(Move.class, contender.name(), address, Long.toString(bytes));
    client.answer();
  }

  /** The address in the daemon's ready file, once it is there. */
  private String address(Path ready) throws IOException {
    while (!Files.exists(ready)) {
      if (!server.isAlive()) {
        throw new IOException("the daemon does not start");
      }
      Thread.onSpinWait();
    }
    return com.google.gson.JsonParser.parseString(Files.readString(ready))
        .getAsJsonObject()
        .get("grpc")
        .getAsString();
  }

  /** Moves the tensor so many times, one after the other; what it took, in all. */
  Measured move(Direction direction, int times) throws IOException {
    double[] before = use();
    double[] moved = new double[3];
    for (int i = 0; i < times; i++) {
      double[] once = client.ask(direction.word());
      for (int k = 0; k < moved.length; k++) {
        moved[k] += once[k];
      }
    }
    double[] after = use();
    return new Measured(moved[0], moved[1] + after[0] - before[0], moved[2], after[1] - before[1]);
  }

  /** What the server has used: processor seconds and bytes of objects. */
  private double[] use() throws IOException {
    if (daemon == null) {
      return server.ask("use");
    }
    ProcessUse use = daemon.serverInfo().getProcessUse();
    return new double[] {use.getCpuSeconds(), use.getAllocatedBytes()};
  }

  @Override
  public void close() {
    client.close();
    if (daemon != null) {
      daemon.close();
    }
    server.close();
  }
}
