package io.muond.server.metrics;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class HttpEndpointTest {
  /** As many as there are threads, and more, stop in the middle of their requests. */
  @Test
  void clientsThatStopInTheMiddleKeepNobodyWaitingForLong() throws Exception {
    InetAddress here = InetAddress.getLoopbackAddress();
    PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    List<Socket> stopped = new ArrayList<>();
    try (HttpEndpoint http =
        new HttpEndpoint(new InetSocketAddress(here, 0), Probes.pages(registry, () -> true))) {
      for (int i = 0; i < 4; i++) {
        Socket socket = new Socket(here, http.port());
        stopped.add(socket);
        socket.getOutputStream().write("GET /met".getBytes(UTF_8));
      }
      // Let the server take them up.
      Thread.sleep(300);
      HttpRequest request =
          HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + http.port() + "/healthz"))
              .timeout(Duration.ofSeconds(40))
              .build();
      HttpResponse<String> answer =
          HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
      assertThat(answer.statusCode()).isEqualTo(200);
    } finally {
      for (Socket socket : stopped) {
        socket.close();
      }
      registry.close();
    }
  }
}
