package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.client.Tensor;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Durability;
import io.muond.v1.Manifold;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import io.muond.v1.Upload;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the HTTP port of a server that knows nobody says, and to whom. */
class HttpPortTest {
  private static final HttpClient HTTP = HttpClient.newHttpClient();

  @TempDir static Path directory;

  private static DaemonProcess daemon;
  private static MuondClient client;
  private static String address;

  @BeforeAll
  static void start() throws Exception {
    daemon =
        DaemonProcess.serve(
            directory, "--engine=cpu", "--memory=64MiB", "--data-dir=" + directory.resolve("data"));
    client = MuondClient.connect(daemon.grpc());
    address = "http://" + daemon.addresses().get("http").getAsString();
  }

  @AfterAll
  static void stop() throws Exception {
    client.close();
    assertThat(daemon.terminate()).isZero();
    assertThat(daemon.stderr()).doesNotContain("ERROR");
  }

  private static HttpResponse<String> send(String method, String path) throws Exception {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(address + path))
            .method(method, BodyPublishers.noBody())
            .build();
    return HTTP.send(request, HttpResponse.BodyHandlers.ofString());
  }

  private static JsonObject json(String path) throws Exception {
    HttpResponse<String> answer = send("GET", path);
    assertThat(answer.statusCode()).isEqualTo(200);
    assertThat(answer.headers().firstValue("Content-Type"))
        .hasValue("application/json; charset=utf-8");
    return JsonParser.parseString(answer.body()).getAsJsonObject();
  }

  private static CreateModelRequest.Builder model(String name, Manifold manifold) {
    Parameter w =
        Parameter.newBuilder().setName("w").addShape(3).addShape(2).setManifold(manifold).build();
    return CreateModelRequest.newBuilder()
        .setModel(name)
        .setSeed(1)
        .setParameters(ParameterList.newBuilder().addParameters(w));
  }

  /** The model's entry in /status.json, or null, once that is as expected. */
  private static JsonObject entry(String name, Predicate<JsonObject> expected) throws Exception {
    long deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
    while (true) {
      JsonObject entry = entry(name);
      if (expected.test(entry)) {
        return entry;
      }
      assertThat(System.nanoTime()).as("%s", entry).isLessThan(deadline);
      Thread.sleep(50);
    }
  }

  private static JsonObject entry(String name) throws Exception {
    for (var model : json("/status.json").getAsJsonArray("models")) {
      if (model.getAsJsonObject().get("name").getAsString().equals(name)) {
        return model.getAsJsonObject();
      }
    }
    return null;
  }

  private static JsonObject weights(String name, Predicate<JsonObject> expected) throws Exception {
    long deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
    while (true) {
      JsonObject weights = json("/status/weights.json?principal=&model=" + name);
      if (expected.test(weights)) {
        return weights;
      }
      assertThat(System.nanoTime()).as("%s", weights).isLessThan(deadline);
      Thread.sleep(50);
    }
  }

  @Test
  void pagesAreToBeReadOnly() throws Exception {
    assertThat(send("POST", "/status.json").statusCode()).isEqualTo(405);
    assertThat(send("DELETE", "/status").headers().firstValue("Allow")).hasValue("GET, HEAD");
    assertThat(send("GET", "/status/").statusCode()).isEqualTo(404);
    assertThat(send("GET", "/").headers().firstValue("Location")).hasValue("/status");
    assertThat(send("HEAD", "/status").body()).isEmpty();
    assertThat(send("GET", "/status/weights.json?model").statusCode()).isEqualTo(404);
    HttpResponse<String> page = send("GET", "/status");
    assertThat(page.headers().firstValue("Content-Type")).hasValue("text/html; charset=utf-8");
    assertThat(page.headers().firstValue("Content-Security-Policy").orElseThrow())
        .contains("default-src 'none'")
        .contains("script-src 'self'")
        .contains("frame-ancestors 'none'")
        .doesNotContain("unsafe");
    assertThat(page.headers().firstValue("X-Content-Type-Options")).hasValue("nosniff");
    // Nothing from elsewhere, nothing that the policy forbids.
    assertThat(page.body())
        .doesNotContainPattern("(src|href)=\"(https?:)?//")
        .doesNotContainPattern("(?i)<script>|<style| on[a-z]+=| style=");
  }

  @Test
  void aModelAndItsSingularValues() throws Exception {
    Durability everyStep = Durability.newBuilder().setEverySteps(1).build();
    try (ModelHandle model =
        client.createModel(
            model("seen", Manifold.MANIFOLD_STIEFEL).setDurability(everyStep).build())) {
      model.step(Map.of("w", Tensor.of(new float[] {1, 0, 0, 0, 0, 0}, 3, 2)), 0.1);
      JsonObject entry = entry("seen", e -> e != null && e.get("step").getAsLong() == 1);
      assertThat(entry.get("durable_step").getAsLong()).isEqualTo(1);
      assertThat(entry.get("unsaved_seconds").getAsDouble()).isZero();
      assertThat(entry.get("state").getAsString()).isEqualTo("idle");
      assertThat(entry.get("orthogonality_max").getAsDouble()).isBetween(0.0, 5e-6);
      JsonObject measured = weights("seen", w -> w.has("step"));
      assertThat(measured.get("step").getAsLong()).isEqualTo(1);
      JsonObject w = measured.getAsJsonArray("parameters").get(0).getAsJsonObject();
      assertThat(w.get("measure").getAsString()).isEqualTo("singular values");
      assertThat(w.get("least").getAsDouble()).isBetween(1 - 5e-6, 1 + 5e-6);
      JsonArray counts = w.getAsJsonObject("histogram").getAsJsonArray("counts");
      assertThat(counts).hasSize(41);
      assertThat(counts.get(20).getAsLong()).isEqualTo(2);
      // The same step is not measured again, the next one is.
      assertThat(weights("seen", any -> true).get("measuring").getAsBoolean()).isFalse();
      model.step(Map.of("w", Tensor.of(new float[] {1, 0, 0, 0, 0, 0}, 3, 2)), 0.1);
      weights("seen", now -> now.get("step").getAsLong() == 2);
    }
    client.deleteModel("seen", false);
    assertThat(send("GET", "/status/weights.json?model=seen").statusCode()).isEqualTo(404);
    entry("seen", Objects::isNull);
  }

  /** The singular values of what is free are spread over bins of their own. */
  @Test
  void everyValueIsInABin() throws Exception {
    client.createModel(model("free", Manifold.MANIFOLD_EUCLIDEAN).build()).close();
    JsonObject measured = weights("free", w -> w.has("step"));
    JsonObject w = measured.getAsJsonArray("parameters").get(0).getAsJsonObject();
    JsonObject histogram = w.getAsJsonObject("histogram");
    assertThat(w.get("relative").getAsBoolean()).isFalse();
    assertThat(histogram.get("to").getAsDouble()).isEqualTo(w.get("most").getAsDouble());
    long counted = 0;
    for (var count : histogram.getAsJsonArray("counts")) {
      counted += count.getAsLong();
    }
    assertThat(counted).isEqualTo(2);
    client.deleteModel("free", false);
  }

  @Test
  void whatCannotBeMeasuredSaysWhy() throws Exception {
    client
        .createModel(
            model("empty", Manifold.MANIFOLD_STIEFEL)
                .setUpload(Upload.getDefaultInstance())
                .build())
        .close();
    assertThat(entry("empty", Objects::nonNull).get("state").getAsString()).isEqualTo("empty");
    JsonObject weights = weights("empty", w -> !w.get("fault").isJsonNull());
    assertThat(weights.get("fault").getAsString()).contains("weights");
    client.deleteModel("empty", false);
  }

  /**
   * A page that is left open keeps no model that its trainer has left, try as it may to measure it.
   */
  @Test
  void lookingIsNoHeartbeat() throws Exception {
    com.google.protobuf.Duration ttl =
        com.google.protobuf.Duration.newBuilder().setSeconds(3).build();
    client
        .createModel(
            model("leased", Manifold.MANIFOLD_STIEFEL)
                .setUpload(Upload.getDefaultInstance())
                .setLeaseTtl(ttl)
                .build())
        .close();
    long deadline = System.nanoTime() + Duration.ofSeconds(15).toNanos();
    while (send("GET", "/status/weights.json?model=leased").statusCode() == 200) {
      assertThat(System.nanoTime()).isLessThan(deadline);
      Thread.sleep(50);
    }
    entry("leased", Objects::isNull);
  }
}
