package io.muond.server.metrics;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Pages for who asks by HTTP. They can be read, and nothing else. */
public final class HttpEndpoint implements AutoCloseable {
  private static final Logger logger = LoggerFactory.getLogger(HttpEndpoint.class);
  private static final int THREADS = 2;

  /** Seconds that a client has to send its request, and to take the answer: pages are small. */
  private static final String PATIENCE = "5";

  /** Nothing that a page names is run or shown but what this server has, inside no other page. */
  private static final String POLICY =
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
          + " img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

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
  private final Map<String, Page> pages;

  /** What is at a path. Answers without waiting for anything. */
  @FunctionalInterface
  public interface Page {
    /**
     * What it shows now.
     *
     * @param query what followed the question mark, as it was sent; "" if nothing did
     */
    HttpAnswer get(String query);
  }

  /**
   * Binds the address and serves.
   *
   * @param pages by their paths
   * @throws IOException if the address cannot be bound
   */
  public HttpEndpoint(InetSocketAddress address, Map<String, Page> pages) throws IOException {
    this.pages = Map.copyOf(requireNonNull(pages, "pages is null"));
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
    server.createContext("/", this::answer);
    server.start();
  }

  private void answer(HttpExchange exchange) throws IOException {
    try (exchange) {
      String method = exchange.getRequestMethod();
      boolean head = method.equals("HEAD");
      HttpAnswer answer =
          head || method.equals("GET") ? answer(exchange.getRequestURI()) : HttpAnswer.NOT_ALLOWED;
      Headers headers = exchange.getResponseHeaders();
      headers.set("Content-Security-Policy", POLICY);
      headers.set("X-Content-Type-Options", "nosniff");
      headers.set("Referrer-Policy", "no-referrer");
      headers.set("Cache-Control", "no-store");
      answer.headers().forEach(headers::set);
      byte[] body = answer.body().getBytes(UTF_8);
      boolean empty = head || body.length == 0;
      exchange.sendResponseHeaders(answer.status(), empty ? -1 : body.length);
      if (!empty) {
        try (OutputStream out = exchange.getResponseBody()) {
          out.write(body);
        }
      }
    }
  }

  private HttpAnswer answer(URI uri) {
    Page page = pages.get(uri.getPath());
    if (page == null) {
      return HttpAnswer.NOT_FOUND;
    }
    try {
      return page.get(uri.getRawQuery() == null ? "" : uri.getRawQuery());
    } catch (RuntimeException e) {
      logger.error("{} failed", uri.getPath(), e);
      return HttpAnswer.FAILED;
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
