package io.muond.docker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.muond.safetensors.Dtype;
import io.muond.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledIf;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The image is built, started and steps a model. */
@DisabledIf("isLeftOut")
class ImageTest {
  private static final String[] OPEN = {"--allow-plaintext", "--allow-anonymous"};

  private static final String NO_DRIVER = "there is no libcuda.so.1 (expected: ";

  private static Buildah buildah;
  private static Container cpu;
  private static Container gpu;

  /** Where anybody may write. */
  @TempDir static Path exchange;

  static boolean isLeftOut() {
    Optional<String> missing = Buildah.missing();
    missing.ifPresent(why -> System.out.println("The image is not tested: " + why));
    return missing.isPresent();
  }

  @BeforeAll
  static void build() throws Exception {
    Path directory = Files.createDirectories(Path.of("target", "image"));
    buildah = new Buildah(directory);
    buildah.close();
    Images.build(buildah, directory);
    Files.setPosixFilePermissions(exchange, PosixFilePermissions.fromString("rwxrwxrwx"));
    cpu = new Container(buildah, Images.CPU, exchange);
    gpu = new Container(buildah, Images.GPU, exchange);
  }

  /** No server outlives its test. */
  @AfterEach
  void kill() throws IOException {
    cpu.kill();
    gpu.kill();
  }

  @AfterAll
  static void remove() throws IOException {
    if (buildah != null) {
      buildah.close();
    }
  }

  private static String tensors(String name, int seed) throws IOException {
    Random random = new Random(seed);
    ByteBuffer data = ByteBuffer.allocate(4 * 40 * 16).order(ByteOrder.LITTLE_ENDIAN);
    while (data.hasRemaining()) {
      data.putFloat((float) random.nextGaussian());
    }
    data.flip();
    new SafetensorsWriter()
        .tensor(
            "w",
            Dtype.F32,
            List.of(40L, 16L),
            (offset, target) -> target.put(data.slice(Math.toIntExact(offset), target.remaining())))
        .writeTo(exchange.resolve(name));
    return Container.EXCHANGE + "/" + name;
  }

  /**
   * Steps the model until it has committed {@code step}.
   *
   * @param done the steps that it has committed before
   */
  private static void step(Container container, String model, int done, int step)
      throws IOException {
    String report = Container.EXCHANGE + "/report" + step + ".json";
    container
        .muond(
            "step",
            "--model=" + model,
            "--durability=every-step",
            "--weights=" + tensors("w", 1),
            "--gradients=" + tensors("g", 2),
            "--learning-rate=0.1",
            "--until-step=" + step,
            "--out=" + Container.EXCHANGE + "/out",
            "--report=" + report)
        .succeeded();
    String json = Files.readString(exchange.resolve("report" + step + ".json"));
    List<JsonElement> steps =
        JsonParser.parseString(json).getAsJsonObject().getAsJsonArray("steps").asList();
    assertThat(steps).hasSize(step - done);
    JsonObject last = steps.get(steps.size() - 1).getAsJsonObject();
    assertThat(last.get("step").getAsInt()).isEqualTo(step);
    isRight(last.getAsJsonArray("parameters").get(0).getAsJsonObject());
  }

  private static void isRight(JsonObject report) {
    double optimum = report.get("optimum").getAsDouble();
    assertThat(report.get("objective").getAsDouble()).isGreaterThan(0.9995 * optimum);
    assertThat(report.get("orthogonality_max").getAsDouble()).isLessThan(5e-6);
  }

  @ParameterizedTest
  @ValueSource(strings = {Images.CPU, Images.GPU})
  void aModelIsSteppedAndComesBack(String image) throws Exception {
    Container container = image.equals(Images.CPU) ? cpu : gpu;
    assertThat(container.isHealthy()).isFalse();
    container.start(List.of(), OPEN);
    assertThat(container.said())
        .filteredOn(line -> line.contains("engine: cpu, since " + NO_DRIVER))
        .hasSize(1);
    step(container, "tiny", 0, 2);
    isOfTheImageAlone(libraries(container));
    assertThat(container.stop()).isZero();
    assertThat(container.isHealthy()).isFalse();
    assertThat(container.said().get(container.said().size() - 1)).endsWith("stopped");
    container.start(List.of(), OPEN);
    step(container, "tiny", 2, 3);
    assertThat(container.stop()).isZero();
  }

  /** The libraries that the server has loaded. */
  private static Set<String> libraries(Container container) throws IOException {
    Path maps = Path.of("/proc", Long.toString(container.process().pid()), "maps");
    return Files.readAllLines(maps).stream()
        .filter(line -> line.contains(".so"))
        .map(line -> line.replaceFirst("^[^/]*(/.*/rootfs)?", ""))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  /** Those of its Java, of its distribution and of muond, each where the build has put it. */
  private static void isOfTheImageAlone(Set<String> libraries) {
    assertThat(libraries).allMatch(path -> path.matches("/(usr|opt/muond)/lib/.*"));
    assertThat(libraries)
        .contains(
            "/opt/muond/lib/libio_grpc_netty_shaded_netty_transport_native_epoll_x86_64.so",
            "/opt/muond/lib/libjniopenblas.so",
            "/opt/muond/lib/libopenblas_nolapack.so.0");
  }

  /** Otherwise what is above would not show that nothing needs to be written. */
  @Test
  void nothingCanBeWrittenToButTheVolume() throws Exception {
    List<String> writable =
        cpu.run("find", "/", "-xdev", "-writable", "!", "-path", "/proc/*", "!", "-type", "l")
            .out();
    assertThat(writable)
        .filteredOn(path -> !path.matches("(" + Container.EXCHANGE + "|/var/lib/muond/).*"))
        .containsExactly("/var/lib/muond");
  }

  @Test
  void theGpuVariantSaysWhatIsMissing() throws Exception {
    Buildah.Outcome outcome = gpu.fail(List.of(), "--engine=cuda", OPEN[0], OPEN[1]);
    assertThat(outcome.status()).isEqualTo(1);
    assertThat(outcome.err())
        .singleElement()
        .asString()
        .startsWith("muond-server: --engine: cuda, but " + NO_DRIVER);
  }

  /** The driver and cuBLAS come from elsewhere, JCuda's own libraries from the image. */
  @Test
  void theGpuVariantFindsTheDriver() throws Exception {
    Path emulator = Path.of("..", "cuda-kernels", "target", "emulator");
    Path libraries = Files.createDirectories(exchange.resolve("cuda"));
    for (String library : List.of("libcuda.so.1", "libcublas.so.12")) {
      assumeTrue(Files.exists(emulator.resolve(library)), "there is no emulated device");
      Files.copy(emulator.resolve(library), libraries.resolve(library));
    }
    gpu.start(
        List.of("LD_LIBRARY_PATH=" + Container.EXCHANGE + "/cuda"),
        "--engine=cuda",
        OPEN[0],
        OPEN[1]);
    step(gpu, "emulated", 0, 1);
    assertThat(libraries(gpu))
        .contains("/mnt/cuda/libcuda.so.1", "/mnt/cuda/libcublas.so.12")
        .anyMatch(path -> path.matches("/opt/muond/lib/libJCudaDriver-.*"))
        .anyMatch(path -> path.matches("/opt/muond/lib/libJCublas2-.*"));
    assertThat(gpu.stop()).isZero();
  }

  @Test
  void linksOfKubernetesAreRefused() throws Exception {
    List<String> link = List.of("MUOND_PORT=tcp://10.0.0.1:8470");
    Buildah.Outcome outcome = cpu.fail(link, OPEN);
    assertThat(outcome.status()).isEqualTo(1);
    assertThat(outcome.err())
        .singleElement()
        .asString()
        .startsWith("muond-server: MUOND_PORT: tcp://10.0.0.1:8470 (expected: ")
        .contains("enableServiceLinks: false");
  }

  @Test
  void strangersAreLeftOutUnlessAsked() throws Exception {
    Buildah.Outcome outcome = cpu.fail(List.of());
    assertThat(outcome.status()).isEqualTo(1);
    assertThat(outcome.err())
        .singleElement()
        .asString()
        .startsWith("muond-server: --host: 0.0.0.0 is beyond loopback, in plaintext");
  }

  @ParameterizedTest
  @ValueSource(strings = {"muond-server.jar", "muond.jar"})
  void nothingIsLeftToUnpack(String jar) throws Exception {
    try (ZipFile file = new ZipFile(cpu.mount().resolve("opt/muond/" + jar).toFile());
        Stream<? extends ZipEntry> entries = file.stream()) {
      List<String> names = entries.map(ZipEntry::getName).toList();
      assertThat(names).contains("META-INF/MANIFEST.MF", "META-INF/LICENSE");
      assertThat(names).noneMatch(name -> name.matches(".*\\.(so(\\..*)?|dylib|jnilib|dll)"));
    }
  }

  @Test
  void configurations() throws Exception {
    JsonObject cpu = Images.configuration(buildah, Images.CPU);
    JsonObject gpu = Images.configuration(buildah, Images.GPU);
    assertThat(cpu.get("User").getAsString()).isEqualTo("8470:8470");
    assertThat(cpu.get("StopSignal").getAsString()).isEqualTo("SIGTERM");
    assertThat(cpu.getAsJsonObject("ExposedPorts").keySet())
        .containsExactlyInAnyOrder("8470/tcp", "8471/tcp");
    assertThat(cpu.getAsJsonObject("Volumes").keySet()).containsExactly("/var/lib/muond");
    JsonObject labels = cpu.getAsJsonObject("Labels");
    assertThat(labels.get("org.opencontainers.image.version").getAsString()).isEqualTo("1.2.3");
    assertThat(labels.get("org.opencontainers.image.licenses").getAsString())
        .isEqualTo("Apache-2.0");
    List<JsonElement> ofGpus = gpu.getAsJsonArray("Env").asList();
    assertThat(ofGpus).containsAll(cpu.getAsJsonArray("Env").asList());
    assertThat(ofGpus)
        .map(JsonElement::getAsString)
        .contains("NVIDIA_DRIVER_CAPABILITIES=compute,utility", "NVIDIA_VISIBLE_DEVICES=all");
    for (String same :
        List.of("Entrypoint", "ExposedPorts", "Healthcheck", "StopSignal", "User", "Volumes")) {
      assertThat(gpu.get(same)).as(same).isEqualTo(cpu.get(same)).isNotNull();
    }
  }
}
