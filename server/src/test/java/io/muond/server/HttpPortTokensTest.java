package io.muond.server;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.muond.client.MuondClient;
import java.io.IOException;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Locale;
import org.junit.jupiter.api.Test;

/** The HTTP port asks nobody for a name: so it tells none, on a server whose gRPC port does. */
class HttpPortTokensTest extends TokensFixture {
  private static HttpResponse<String> get(String path) {
    try {
      String http = daemon.addresses().get("http").getAsString();
      return HttpClient.newHttpClient()
          .send(
              HttpRequest.newBuilder(URI.create("http://" + http + path)).build(),
              HttpResponse.BodyHandlers.ofString());
    } catch (IOException | InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private static double metric(String name) {
    return get("/metrics")
        .body()
        .lines()
        .filter(line -> line.startsWith(name + " "))
        .mapToDouble(line -> Double.parseDouble(line.substring(name.length() + 1)))
        .findFirst()
        .orElseThrow(() -> new AssertionError("no " + name));
  }

  @Test
  void namesAreNotTold() {
    try (MuondClient alice = client(ALICE)) {
      alice.createModel(model("hidden", 3)).close();
      for (String path : new String[] {"/metrics", "/status.json", "/status"}) {
        assertThat(get(path).body().toLowerCase(Locale.ROOT))
            .as(path)
            .doesNotContain("hidden\"")
            .doesNotContain("alice")
            .doesNotContain("muond_model_");
      }
      JsonObject status = JsonParser.parseString(get("/status.json").body()).getAsJsonObject();
      assertThat(status.get("models_shown").getAsBoolean()).isFalse();
      assertThat(status.get("model_count").getAsInt()).isEqualTo(1);
      assertThat(metric("muond_models")).isEqualTo(1);
      String weights = "/status/weights.json?principal=alice&model=hidden";
      assertThat(get(weights).statusCode()).isEqualTo(404);
      alice.deleteModel("hidden", false);
    }
  }

  @Test
  void refusalsAreCountedByTheirReasons() throws Exception {
    String unauthenticated = "muond_errors_total{reason=\"UNAUTHENTICATED\"}";
    String quota = "muond_errors_total{reason=\"QUOTA_EXCEEDED\"}";
    double before = metric(unauthenticated);
    try (MuondClient stranger = client(WRONG);
        MuondClient rare = client(RARE)) {
      refused(() -> stranger.listModels());
      assertThat(metric(unauthenticated)).isEqualTo(before + 1);
      assertThat(metric(quota)).isZero();
      refused(() -> rare.createModel(model("m", 1 << 20)));
      assertThat(metric(quota)).isEqualTo(1);
    }
    double failures = metric("muond_tls_failures_total");
    String[] grpc = daemon.grpc().split(":", -1);
    try (Socket socket = new Socket(grpc[0], Integer.parseInt(grpc[1]))) {
      socket.getOutputStream().write("not TLS, by no means".getBytes(UTF_8));
      await(() -> metric("muond_tls_failures_total") == failures + 1);
    }
    await(() -> metric("muond_calls_active") == 0);
    await(() -> metric("muond_connections") == 0);
  }
}
