package io.muond.docker;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** A headless Chromium with one page, by its DevTools protocol. */
final class Browser implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final HttpClient http = HttpClient.newHttpClient();
  private final Process process;
  private final WebSocket socket;
  private final AtomicInteger ids = new AtomicInteger();
  private final Map<Integer, CompletableFuture<JsonObject>> answers = new ConcurrentHashMap<>();
  private final List<JsonObject> events = new CopyOnWriteArrayList<>();

  /**
   * Starts it.
   *
   * @param directory for its profile
   */
  Browser(Path directory) throws Exception {
    Path profile = Files.createDirectories(directory.resolve("profile"));
    process =
        new ProcessBuilder(
                "chromium",
                "--headless=new",
                // Root has no sandbox; the page is our own.
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--hide-scrollbars",
                "--remote-debugging-port=0",
                "--user-data-dir=" + profile,
                "about:blank")
            .redirectErrorStream(true)
            .redirectOutput(directory.resolve("chromium.log").toFile())
            .start();
    Path port = profile.resolve("DevToolsActivePort");
    List<String> lines =
        Tools.await("DevTools", () -> linesOf(port), written -> written.size() >= 2);
    socket =
        http.newWebSocketBuilder()
            .buildAsync(page("http://127.0.0.1:" + lines.get(0) + "/json/list"), new Listener())
            .get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    for (String domain : List.of("Page", "Runtime", "Log", "Accessibility")) {
      send(domain + ".enable", Map.of());
    }
  }

  private List<String> linesOf(Path file) throws IOException {
    assertThat(process.isAlive()).as("Chromium is alive").isTrue();
    return Files.exists(file) ? Files.readAllLines(file) : List.of();
  }

  private URI page(String list) throws Exception {
    HttpRequest request = HttpRequest.newBuilder(URI.create(list)).timeout(PATIENCE).build();
    String pages = http.send(request, HttpResponse.BodyHandlers.ofString()).body();
    for (JsonElement page : JsonParser.parseString(pages).getAsJsonArray()) {
      if (page.getAsJsonObject().get("type").getAsString().equals("page")) {
        return URI.create(page.getAsJsonObject().get("webSocketDebuggerUrl").getAsString());
      }
    }
    throw new AssertionError("no page in " + pages);
  }

  /** Puts messages together and sorts them into answers and events. */
  private final class Listener implements WebSocket.Listener {
    private final StringBuilder message = new StringBuilder();

    @Override
    public CompletionStage<?> onText(WebSocket from, CharSequence text, boolean last) {
      message.append(text);
      if (last) {
        JsonObject whole = JsonParser.parseString(message.toString()).getAsJsonObject();
        message.setLength(0);
        if (whole.has("id")) {
          answers.remove(whole.get("id").getAsInt()).complete(whole);
        } else {
          events.add(whole);
        }
      }
      from.request(1);
      return null;
    }
  }

  private JsonObject send(String method, Map<String, Object> parameters) throws Exception {
    int id = ids.incrementAndGet();
    CompletableFuture<JsonObject> answer = new CompletableFuture<>();
    answers.put(id, answer);
    Map<String, Object> message = Map.of("id", id, "method", method, "params", parameters);
    socket.sendText(new Gson().toJson(message), true).get();
    JsonObject answered = answer.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    assertThat(answered.get("error")).as(method).isNull();
    return answered.getAsJsonObject("result");
  }

  /** Goes to a page. */
  void open(String uri) throws Exception {
    assertThat(send("Page.navigate", Map.of("url", uri)).get("errorText")).isNull();
  }

  /** The window's size in CSS pixels. */
  void resize(int width, int height) throws Exception {
    send(
        "Emulation.setDeviceMetricsOverride",
        Map.of("width", width, "height", height, "deviceScaleFactor", 1, "mobile", width < 600));
  }

  /** What the user prefers: dark or light. */
  void prefer(String scheme) throws Exception {
    Map<String, String> feature = Map.of("name", "prefers-color-scheme", "value", scheme);
    send("Emulation.setEmulatedMedia", Map.of("features", List.of(feature)));
  }

  /** The value of an expression in the page. */
  JsonElement evaluate(String expression) throws Exception {
    JsonObject result =
        send("Runtime.evaluate", Map.of("expression", expression, "returnByValue", true));
    assertThat(result.get("exceptionDetails")).as(expression).isNull();
    JsonElement value = result.getAsJsonObject("result").get("value");
    return value == null ? JsonNull.INSTANCE : value;
  }

  /** The text of what a selector finds first, as it is rendered; "" if that is nothing. */
  String text(String selector) throws Exception {
    String found = "document.querySelector(" + quoted(selector) + ")";
    return evaluate(found + "?.checkVisibility() ? " + found + ".innerText : ''").getAsString();
  }

  /** How much a selector finds. */
  int count(String selector) throws Exception {
    return evaluate("document.querySelectorAll(" + quoted(selector) + ").length").getAsInt();
  }

  private static String quoted(String text) {
    return new JsonPrimitive(text).toString();
  }

  /** What those who cannot see are told there is: "role: name" of each thing that has both. */
  List<String> spoken() throws Exception {
    return send("Accessibility.getFullAXTree", Map.of()).getAsJsonArray("nodes").asList().stream()
        .map(JsonElement::getAsJsonObject)
        .filter(node -> node.has("role") && node.has("name"))
        .map(node -> value(node, "role") + ": " + value(node, "name"))
        .toList();
  }

  private static String value(JsonObject node, String key) {
    return node.getAsJsonObject(key).get("value").getAsString();
  }

  /** A picture of the whole page. */
  void photograph(Path file) throws Exception {
    Map<String, Object> how = Map.of("format", "png", "captureBeyondViewport", true);
    String data = send("Page.captureScreenshot", how).get("data").getAsString();
    Files.write(file, Base64.getDecoder().decode(data));
  }

  /** What the console was told as an error, or a warning, and what was thrown. */
  List<JsonObject> complaints() {
    return events.stream().filter(Browser::isComplaint).toList();
  }

  private static boolean isComplaint(JsonObject event) {
    JsonObject about = event.getAsJsonObject("params");
    return switch (event.get("method").getAsString()) {
      case "Runtime.exceptionThrown" -> true;
      case "Runtime.consoleAPICalled" ->
          List.of("error", "warning", "assert").contains(about.get("type").getAsString());
      case "Log.entryAdded" ->
          List.of("error", "warning")
              .contains(about.getAsJsonObject("entry").get("level").getAsString());
      default -> false;
    };
  }

  @Override
  public void close() throws IOException {
    socket.abort();
    List<ProcessHandle> children = process.descendants().toList();
    Buildah.exit(process.destroyForcibly(), PATIENCE);
    children.forEach(ProcessHandle::destroyForcibly);
  }
}
