package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.client.cli.Main;
import io.muond.safetensors.Dtype;
import io.muond.safetensors.SafetensorsFile;
import io.muond.safetensors.SafetensorsWriter;
import io.muond.server.engine.TestEngines;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** The command line in this process, the daemon in another, and files between them. */
abstract class CommandLineFixture {
  /** Of every daemon here: the engine under test. */
  static final String ENGINE = "--engine=" + (TestEngines.isCuda() ? "cuda" : "cpu");

  @TempDir static Path shared;

  static DaemonProcess daemon;

  @TempDir Path directory;

  @BeforeAll
  static void start() throws IOException {
    TestEngines.requireDevice();
    daemon = DaemonProcess.serve(shared, ENGINE, "--data-dir=" + shared.resolve("data"));
  }

  @AfterAll
  static void stop() throws Exception {
    if (daemon != null) {
      assertThat(daemon.terminate()).isZero();
      assertThat(daemon.emulatorSaid()).isEmpty();
    }
  }

  /** What a command printed, and its exit status. */
  record Outcome(int status, String out, String err) {
    Outcome succeeded() {
      assertThat(status).as(err).isZero();
      return this;
    }
  }

  static Outcome muond(String... arguments) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int status =
        Main.run(
            arguments,
            new PrintStream(out, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8));
    return new Outcome(
        status, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
  }

  Path file(String name) {
    return directory.resolve(name);
  }

  Path write(String name, Map<String, float[]> tensors, int columns) throws IOException {
    SafetensorsWriter writer = new SafetensorsWriter();
    for (Map.Entry<String, float[]> tensor : tensors.entrySet()) {
      ByteBuffer bytes =
          ByteBuffer.allocate(tensor.getValue().length * 4).order(ByteOrder.LITTLE_ENDIAN);
      bytes.asFloatBuffer().put(tensor.getValue());
      List<Long> shape = List.of((long) tensor.getValue().length / columns, (long) columns);
      writer.tensor(
          tensor.getKey(),
          Dtype.F32,
          shape,
          (offset, into) -> into.put(bytes.slice((int) offset, into.remaining())));
    }
    writer.writeTo(file(name));
    return file(name);
  }

  static float[] read(Path path, String name) throws IOException {
    try (SafetensorsFile in = SafetensorsFile.open(path)) {
      float[] values = new float[Math.toIntExact(in.tensor(name).elements())];
      in.readFloats(name, 0, values);
      return values;
    }
  }

  static float[] gaussian(int n, long seed) {
    Random random = new Random(seed);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  @BeforeEach
  void healthy() throws IOException {
    muond("status", "--server=" + daemon.grpc()).succeeded();
  }

  static void expectFailure(Outcome outcome, List<String> named) {
    assertThat(outcome.status()).isEqualTo(1);
    assertThat(outcome.err().strip().lines()).as(outcome.err()).hasSize(1);
    assertThat(outcome.err()).contains(named);
  }

  static String[] with(String[] arguments, String... more) {
    String[] all = Arrays.copyOf(arguments, arguments.length + more.length);
    System.arraycopy(more, 0, all, arguments.length, more.length);
    return all;
  }
}
