package io.muond.server.metrics;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.BooleanSupplier;

/** {@code /metrics} for Prometheus, {@code /healthz} for whoever asks whether to send work. */
public final class HttpEndpoint implements AutoCloseable {
  private static final int THREADS = 2;

  /** Seconds that a client has to send its request, and to take the answer: pages are small. */
  private static final String PATIENCE = "5";

  // By default the JDK's server waits for ever, so that a client for each thread that stops in the
  // middle of a request keeps all others from an answer. It reads these once, when it is first
  // used.
  static {
    for (String limit : List.of("maxReqTime", "maxRspTime")) {
      String property = "sun.net.httpserver." + limit;
      System.setProperty(property, System.getProperty(property, PATIENCE));
    }
  }

  private final HttpServer server;
  private final ExecutorService executor;

  /**
   * Binds the address and serves.
   *
   * @param healthy decides between 200 and 503
   * @throws IOException if the address cannot be bound
   */
  public HttpEndpoint(
      InetSocketAddress address, PrometheusMeterRegistry registry, BooleanSupplier healthy)
      throws IOException {
    requireNonNull(registry, "registry is null");
    requireNonNull(healthy, "healthy is null");
    server = HttpServer.create(address, 0);
    executor =
        Executors.newFixedThreadPool(
            THREADS,
            task -> {
              Thread thread = new Thread(task, "http");
              thread.setDaemon(true);
              return thread;
            });
    server.setExecutor(executor);
    server.createContext(
        "/metrics",
        exchange ->
            answer(exchange, "/metrics", 200, "text/plain; version=0.0.4", registry.scrape()));
    server.createContext(
        "/healthz",
        exchange -> {
          boolean serving = healthy.getAsBoolean();
          String body = serving ? "serving\n" : "not serving\n";
          answer(exchange, "/healthz", serving ? 200 : 503, "text/plain", body);
        });
    server.start();
  }

  private static void answer(
      HttpExchange exchange, String path, int status, String type, String body) throws IOException {
    try (exchange) {
      if (!exchange.getRequestURI().getPath().equals(path)) {
        // Contexts match prefixes.
        exchange.sendResponseHeaders(404, -1);
        return;
      }
      byte[] bytes = body.getBytes(UTF_8);
      exchange.getResponseHeaders().set("Content-Type", type + "; charset=utf-8");
      exchange.sendResponseHeaders(status, bytes.length);
      try (OutputStream out = exchange.getResponseBody()) {
        out.write(bytes);
      }
    }
  }

  /** The port that was bound. */
  public int port() {
    return server.getAddress().getPort();
  }

  @Override
  public void close() {
    server.stop(0);
    executor.shutdown();
  }
}
