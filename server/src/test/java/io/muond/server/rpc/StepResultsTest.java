package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.gradients;
import static io.muond.server.rpc.TestClient.header;
import static io.muond.server.rpc.TestClient.options;
import static io.muond.server.rpc.TestClient.refusal;
import static io.muond.server.rpc.TestClient.small;
import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.stub.ClientCallStreamObserver;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.muond.server.metrics.HttpEndpoint;
import io.muond.server.metrics.Probes;
import io.muond.server.metrics.ServerMetrics;
import io.muond.v1.AbortStepRequest;
import io.muond.v1.DeleteModelRequest;
import io.muond.v1.Model;
import io.muond.v1.OpenStepRequest;
import io.muond.v1.StepRequest;
import io.muond.v1.StepResponse;
import io.muond.v1.StepServiceGrpc;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What /metrics says became of steps. */
class StepResultsTest {
  private static final Pattern RESULT =
      Pattern.compile("^muond_steps_total\\{result=\"(.*)\"} (\\S+)$", Pattern.MULTILINE);

  private final PrometheusMeterRegistry registry =
      new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
  private TestServer server;
  private HttpEndpoint http;
  private TestClient client;
  private Model model;

  @BeforeEach
  void start() throws IOException {
    start(Duration.ofSeconds(30));
  }

  private void start(Duration stepTimeout) throws IOException {
    server =
        new TestServer(
            stepTimeout, Duration.ofMillis(20), Optional.empty(), new ServerMetrics(registry));
    http =
        new HttpEndpoint(
            new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
            Probes.pages(registry, () -> true));
    client = server.client();
    model = client.create(small("m"));
  }

  @AfterEach
  void stop() {
    http.close();
    server.close();
    registry.close();
  }

  private Map<String, Integer> scrape() {
    URI uri = URI.create("http://127.0.0.1:" + http.port() + "/metrics");
    String page;
    try {
      page =
          HttpClient.newHttpClient()
              .send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString())
              .body();
    } catch (IOException | InterruptedException e) {
      throw new AssertionError(e);
    }
    Map<String, Integer> results = new TreeMap<>();
    Matcher matcher = RESULT.matcher(page);
    while (matcher.find()) {
      results.put(matcher.group(1), (int) Double.parseDouble(matcher.group(2)));
    }
    return results;
  }

  private void results(int committed, int repeated, int refused, int aborted, int failed) {
    assertThat(scrape())
        .isEqualTo(
            Map.of(
                "committed", committed,
                "repeated", repeated,
                "refused", refused,
                "aborted", aborted,
                "failed", failed));
  }

  @Test
  void committedAndRepeated() {
    results(0, 0, 0, 0, 0);
    client.step(model, 1, 1);
    results(1, 0, 0, 0, 0);
    client.step(model, 1, 1);
    client.step(model, 2, 1);
    results(2, 1, 0, 0, 0);
  }

  @Test
  void refused() {
    refusal(() -> client.step(model, 1, Float.NaN));
    results(0, 0, 1, 0, 0);
    refusal(() -> client.stepMessages(StepRequest.newBuilder().setOpen(header(model, 1)).build()));
    results(0, 0, 2, 0, 0);
    refusal(() -> client.step(model, 9, 1));
    results(0, 0, 3, 0, 0);
    client.step(model, 1, 1);
    refusal(() -> client.step(model, 1, 2));
    results(1, 0, 4, 0, 0);
    // Finite by itself, but not twice: found when the step computes.
    var header = header(model, 2).toBuilder().setWeight(2).build();
    refusal(() -> client.step(TestClient.whole(header, gradients(model, 3e38f), options())));
    results(1, 0, 5, 0, 0);
  }

  @Test
  void aborted() {
    var header = header(model, 1);
    client.steps().openStep(OpenStepRequest.newBuilder().setHeader(header).build());
    client.steps().abortStep(AbortStepRequest.newBuilder().setHeader(header).build());
    results(0, 0, 0, 1, 0);
    ClientCallStreamObserver<StepRequest> call = open();
    call.cancel("enough", null);
    await(2);
    open();
    client.models().deleteModel(DeleteModelRequest.newBuilder().setModel("m").build());
    results(0, 0, 0, 3, 0);
  }

  @Test
  void abortedForWantOfNews() throws IOException {
    http.close();
    server.close();
    start(Duration.ofMillis(200));
    client.steps().openStep(OpenStepRequest.newBuilder().setHeader(header(model, 1)).build());
    await(1);
  }

  private ClientCallStreamObserver<StepRequest> open() {
    ClientCallStreamObserver<StepRequest> call =
        (ClientCallStreamObserver<StepRequest>)
            StepServiceGrpc.newStub(client.channel).step(new Collector<StepResponse>());
    call.onNext(StepRequest.newBuilder().setOpen(header(model, 1)).build());
    while (!client.get("m").hasOpenStep()) {
      Thread.onSpinWait();
    }
    return call;
  }

  private void await(int aborted) {
    long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
    while (scrape().get("aborted") < aborted) {
      assertThat(System.nanoTime()).as("the deadline").isLessThan(deadline);
    }
    results(0, 0, 0, aborted, 0);
  }

  @Test
  void failed() {
    server.optimizer.failure = new IllegalStateException("planned");
    refusal(() -> client.step(model, 1, 1));
    results(0, 0, 0, 0, 1);
    server.faults.plan("receive", new OutOfMemoryError("planned"));
    refusal(() -> client.step(model, 1, 1));
    results(0, 0, 0, 0, 2);
    client.step(model, 1, 1);
    results(1, 0, 0, 0, 2);
  }
}
