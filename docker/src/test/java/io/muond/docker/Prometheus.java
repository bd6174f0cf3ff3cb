package io.muond.docker;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.net.ConnectException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** A Prometheus that scrapes one server by the files of this directory. */
final class Prometheus implements AutoCloseable {
  /** In place of the 15 seconds of prometheus.yml, which a test has not. */
  static final Duration INTERVAL = Duration.ofMillis(500);

  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final Duration LOOK_BACK = Duration.ofSeconds(20);

  private final HttpClient http = HttpClient.newHttpClient();
  private final Process process;
  private final String address;

  /**
   * Starts it.
   *
   * @param directory for its configuration and data
   * @param target the server's HTTP port
   */
  Prometheus(Path directory, String target) throws Exception {
    String configuration = Files.readString(Path.of("prometheus", "prometheus.yml"));
    String mine = configuration.replace("muond:8471", target).replace("15s", "500ms");
    assertThat(mine).contains('"' + target + '"').contains("scrape_interval: 500ms");
    Files.writeString(directory.resolve("prometheus.yml"), mine);
    Files.copy(Path.of("prometheus", "rules.yml"), directory.resolve("rules.yml"));
    Tools.run(directory, "promtool", "check", "config", "prometheus.yml");
    address = "127.0.0.1:" + freePort();
    process =
        new ProcessBuilder(
                "prometheus",
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=data",
                "--web.listen-address=" + address)
            .directory(directory.toFile())
            .redirectErrorStream(true)
            .redirectOutput(directory.resolve("prometheus.log").toFile())
            .start();
    Tools.await("ready", this::isReady, there -> there);
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  private boolean isReady() throws Exception {
    assertThat(process.isAlive()).as("alive").isTrue();
    try {
      return get("/-/ready", Map.of()).statusCode() == 200;
    } catch (ConnectException e) {
      return false;
    }
  }

  private HttpResponse<String> get(String path, Map<String, String> parameters) throws Exception {
    String query =
        parameters.entrySet().stream()
            .map(e -> e.getKey() + "=" + URLEncoder.encode(e.getValue(), UTF_8))
            .collect(Collectors.joining("&", "?", ""));
    URI uri = URI.create("http://" + address + path + query);
    return http.send(
        HttpRequest.newBuilder(uri).timeout(PATIENCE).build(),
        HttpResponse.BodyHandlers.ofString());
  }

  private JsonElement api(String path, Map<String, String> parameters) throws Exception {
    HttpResponse<String> response = get("/api/v1/" + path, parameters);
    assertThat(response.statusCode()).as("%s: %s", parameters, response.body()).isEqualTo(200);
    return JsonParser.parseString(response.body()).getAsJsonObject().get("data");
  }

  /** How many of a query's series have had a number lately, and not just NaN. */
  long series(String query) throws Exception {
    Instant now = Instant.now();
    JsonElement data =
        api(
            "query_range",
            Map.of(
                "query",
                query,
                "start",
                now.minus(LOOK_BACK).toString(),
                "end",
                now.toString(),
                "step",
                "1s"));
    return data.getAsJsonObject().getAsJsonArray("result").asList().stream()
        .filter(series -> hasNumber(series.getAsJsonObject().getAsJsonArray("values")))
        .count();
  }

  private static boolean hasNumber(JsonArray values) {
    return values.asList().stream()
        .anyMatch(v -> Double.isFinite(v.getAsJsonArray().get(1).getAsDouble()));
  }

  /** The labels of what a query gives now. */
  List<JsonObject> now(String query) throws Exception {
    JsonObject data = api("query", Map.of("query", query)).getAsJsonObject();
    return data.getAsJsonArray("result").asList().stream()
        .map(series -> series.getAsJsonObject().getAsJsonObject("metric"))
        .toList();
  }

  /** The values that a label has in what a selector selects. */
  List<String> labelValues(String label, String selector) throws Exception {
    return api("label/" + label + "/values", Map.of("match[]", selector))
        .getAsJsonArray()
        .asList()
        .stream()
        .map(JsonElement::getAsString)
        .toList();
  }

  /** Its rules, as it sees them. */
  List<JsonObject> rules() throws Exception {
    return api("rules", Map.of()).getAsJsonObject().getAsJsonArray("groups").asList().stream()
        .flatMap(group -> group.getAsJsonObject().getAsJsonArray("rules").asList().stream())
        .map(JsonElement::getAsJsonObject)
        .toList();
  }

  @Override
  public void close() throws IOException {
    Buildah.exit(process.destroyForcibly(), PATIENCE);
  }
}
