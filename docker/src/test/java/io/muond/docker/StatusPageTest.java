package io.muond.docker;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.client.Tensor;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Durability;
import io.muond.v1.Manifold;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.condition.DisabledIf;
import org.junit.jupiter.api.io.TempDir;

/** The status page as Chromium shows it, while a model steps and a server comes and goes. */
@DisabledIf("isLeftOut")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class StatusPageTest {
  /** A name that would run, were it markup. */
  private static final String HOSTILE = "<img/src=x/onerror=window.harmed=1>";

  private static final String STEP = "td[data-label=Step]";

  @TempDir static Path directory;

  private static ServerProcess server;
  private static Browser browser;
  private static volatile boolean closed;
  private static CompletableFuture<Void> training;

  static boolean isLeftOut() {
    Optional<String> missing = Tools.missing("chromium");
    missing.ifPresent(why -> System.out.println("The status page is not tested: " + why));
    return missing.isPresent();
  }

  @BeforeAll
  static void start() throws Exception {
    server = serve(0);
    training = CompletableFuture.runAsync(StatusPageTest::train);
    browser = new Browser(directory);
    browser.resize(1280, 900);
    browser.prefer("light");
    browser.open("http://" + server.http() + "/");
  }

  private static ServerProcess serve(int httpPort) throws Exception {
    return new ServerProcess(directory, httpPort, "--data-dir=" + directory.resolve("data"));
  }

  @AfterAll
  static void stop() throws Exception {
    closed = true;
    try {
      if (browser != null) {
        browser.close();
      }
      if (training != null) {
        training.join();
      }
    } finally {
      if (server != null) {
        server.close();
      }
    }
  }

  private static Parameter parameter(String name, Manifold manifold, long... shape) {
    Parameter.Builder parameter = Parameter.newBuilder().setName(name).setManifold(manifold);
    for (long length : shape) {
      parameter.addShape(length);
    }
    return parameter.build();
  }

  private static CreateModelRequest transformer() {
    return CreateModelRequest.newBuilder()
        .setModel("transformer")
        .setSeed(1)
        .setDurability(Durability.newBuilder().setEverySteps(50))
        .setParameters(
            ParameterList.newBuilder()
                .addParameters(parameter("embed", Manifold.MANIFOLD_OBLIQUE, 65, 64))
                .addParameters(parameter("attention.q", Manifold.MANIFOLD_STIEFEL, 64, 64))
                .addParameters(parameter("mlp.up", Manifold.MANIFOLD_STIEFEL, 128, 64))
                .addParameters(parameter(HOSTILE, Manifold.MANIFOLD_SPECTRAL_BALL, 64, 128))
                .addParameters(parameter("head", Manifold.MANIFOLD_EUCLIDEAN, 65, 64))
                .addParameters(parameter("gain", Manifold.MANIFOLD_SPHERE, 64))
                .addParameters(parameter("large", Manifold.MANIFOLD_EUCLIDEAN, 2048, 640)))
        .build();
  }

  private static void train() {
    try (MuondClient client = MuondClient.connect(server.grpc());
        ModelHandle idle = client.createModel(Workload.model("digits").build());
        ModelHandle model = client.createModel(transformer())) {
      idle.step(Map.of("w", random(1, 32, 16)), 0.1);
      Map<String, Tensor> gradients = new HashMap<>();
      for (Parameter parameter : transformer().getParameters().getParametersList()) {
        long[] shape = parameter.getShapeList().stream().mapToLong(n -> n).toArray();
        gradients.put(parameter.getName(), random(2, shape));
      }
      while (!closed) {
        model.step(gradients, 0.01);
      }
    } catch (RuntimeException e) {
      if (!closed) {
        throw e;
      }
    }
  }

  private static Tensor random(long seed, long... shape) {
    Random random = new Random(seed);
    int n = 1;
    for (long length : shape) {
      n *= Math.toIntExact(length);
    }
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return Tensor.of(values, shape);
  }

  private static String row(String model) throws Exception {
    for (int i = 1; i <= browser.count("#model-rows tr"); i++) {
      String row = "#model-rows tr:nth-child(" + i + ")";
      if (browser.text(row + " button").endsWith(model)) {
        return row;
      }
    }
    return "#no-such-row";
  }

  private static long step(String model) throws Exception {
    String text = browser.text(row(model) + " " + STEP).replace(",", "");
    return text.isEmpty() ? -1 : Long.parseLong(text);
  }

  /** The numbers grow in a page that was opened once. */
  @Test
  @Order(1)
  void aModelThatStepsIsSeenToStep() throws Exception {
    browser.evaluate("window.opened = 'once'");
    long first = Tools.await("steps", () -> step("transformer"), step -> step > 0);
    long second = Tools.await("more", () -> step("transformer"), step -> step > first);
    Tools.await("and more", () -> step("transformer"), step -> step > second);
    assertThat(step("digits")).isEqualTo(1);
    assertThat(browser.text("#state")).isEqualTo("serving");
    Tools.await("rate", () -> browser.text("#rate"), rate -> rate.matches("[1-9][0-9,]*(\\.\\d)?"));
    assertThat(browser.text("#models")).isEqualTo("2");
    assertThat(browser.text("#about")).contains("CPU").contains("up ");
    assertThat(browser.text(row("transformer")))
        .contains("stepping")
        .contains("stiefel")
        .contains("oblique");
    assertThat(browser.text("#devices")).contains("of 256 MiB in use");
    assertThat(browser.evaluate("window.opened").getAsString()).isEqualTo("once");
  }

  private static void choose(String model) throws Exception {
    browser.evaluate("document.querySelector('" + row(model) + " button').click()");
    Tools.await("chosen", () -> browser.text("#weights-title"), ("Weights of " + model)::equals);
  }

  @Test
  @Order(2)
  void singularValuesAreDrawn() throws Exception {
    choose("transformer");
    Tools.await("drawn", () -> browser.count("#figures .histogram"), drawn -> drawn == 5);
    assertThat(browser.count("#figures li")).isEqualTo(7);
    String query = figure("attention.q");
    assertThat(query).contains("64 × 64 · stiefel").contains("singular values / r");
    // All in the bin around 1, and nowhere else.
    assertThat(browser.count("#figures li:nth-child(2) rect")).isEqualTo(1);
    assertThat(query).containsPattern("(0\\.99999|1\\.00000)\\d* – (0\\.99999|1\\.00000)");
    assertThat(browser.count("#figures li:nth-child(5) rect")).isGreaterThan(10);
    assertThat(figure("embed")).contains("row norms / r");
    assertThat(figure("gain")).contains("norm / r");
    assertThat(figure("large")).contains("Too large to be measured here");
    String measured = browser.text("#weights-note");
    assertThat(measured).startsWith("As of step ");
    Tools.await(
        "anew",
        () -> browser.text("#weights-note"),
        text -> !stepOf(text).equals(stepOf(measured)));
    choose("digits");
    Tools.await("drawn", () -> browser.count("#figures .histogram"), drawn -> drawn == 1);
    choose("transformer");
  }

  private static String stepOf(String note) {
    return note.replaceAll("As of step ([0-9,]+), .*", "$1");
  }

  private static String figure(String parameter) throws Exception {
    for (int i = 1; i <= browser.count("#figures li"); i++) {
      if (browser.text("#figures li:nth-child(" + i + ") b").equals(parameter)) {
        return browser.text("#figures li:nth-child(" + i + ")");
      }
    }
    return "";
  }

  @Test
  @Order(3)
  void namesAreText() throws Exception {
    Tools.await("drawn", () -> browser.count("#figures .histogram"), drawn -> drawn == 5);
    assertThat(figure(HOSTILE)).contains("spectral-ball");
    assertThat(browser.count("img")).isZero();
    assertThat(browser.evaluate("window.harmed === undefined").getAsBoolean()).isTrue();
  }

  @Test
  @Order(4)
  void itIsToldToThoseWhoCannotSee() throws Exception {
    for (int width : new int[] {1280, 390}) {
      browser.resize(width, 900);
      List<String> spoken = browser.spoken();
      assertThat(spoken)
          .contains("heading: muond", "heading: Models", "table: Models")
          .contains("rowheader: transformer", "button: transformer")
          .contains("meter: Memory of device 0 in use")
          .anyMatch(s -> s.matches("image: 64 singular values from 0\\.99.* to 1\\.0.*"));
      assertThat(spoken.stream().filter(s -> s.startsWith("rowheader: "))).hasSize(2);
    }
    browser.resize(1280, 900);
  }

  @Test
  @Order(5)
  void itFitsDesksAndPhones() throws Exception {
    Path pictures = Files.createDirectories(Path.of("target", "status"));
    for (String scheme : List.of("light", "dark")) {
      browser.prefer(scheme);
      for (int width : new int[] {1280, 390}) {
        browser.resize(width, 900);
        assertThat(browser.evaluate("document.documentElement.scrollWidth").getAsInt())
            .isLessThanOrEqualTo(width);
        browser.photograph(pictures.resolve(scheme + "-" + width + ".png"));
      }
    }
    assertThat(browser.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
        .hasToString("\"rgb(18, 21, 24)\"");
    browser.prefer("light");
    browser.resize(1280, 900);
  }

  @Test
  @Order(6)
  void aServerThatGoesAndComesBack() throws Exception {
    assertThat(browser.complaints()).isEmpty();
    int port = server.httpPort();
    closed = true;
    training.join();
    server.close();
    Tools.await("gone", () -> browser.text("#gone"), text -> text.contains("has not answered"));
    assertThat(browser.text("#state")).isEqualTo("no answer");
    server = serve(port);
    Tools.await("back", () -> browser.text("#gone"), String::isEmpty);
    // One was saved, the other was not.
    Tools.await("restored", () -> browser.count("#model-rows tr"), rows -> rows == 1);
    assertThat(browser.text("#state")).isEqualTo("serving");
    long restored = step("transformer");
    try (MuondClient client = MuondClient.connect(server.grpc());
        ModelHandle model = client.createModel(Workload.model("later").build())) {
      model.step(Map.of("w", random(1, 32, 16)), 0.1);
      Tools.await("goes on", () -> step("later"), step -> step == 1);
    }
    assertThat(restored).isNotNegative();
    assertThat(browser.evaluate("window.opened").getAsString()).isEqualTo("once");
    assertThat(browser.complaints()).isNotEmpty().allMatch(StatusPageTest::isOfTheNetwork);
  }

  private static boolean isOfTheNetwork(JsonObject complaint) {
    return complaint.toString().contains("net::ERR_CONNECTION_REFUSED");
  }
}
