package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.gradients;
import static io.muond.server.rpc.TestClient.header;
import static io.muond.server.rpc.TestClient.options;
import static io.muond.server.rpc.TestClient.small;
import static io.muond.server.rpc.TestClient.whole;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.grpc.ClientInterceptors;
import io.grpc.Metadata;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import io.muond.v1.Model;
import io.muond.v1.StepRequest;
import io.muond.v1.StepResponse;
import io.muond.v1.StepServiceGrpc;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/** A fault that two calls wait for is found once, and told in the name of each. */
class IncidentLogTest {
  private final ListAppender<ILoggingEvent> log = new ListAppender<>();
  private final Logger logger = (Logger) LoggerFactory.getLogger(Errors.class);
  private TestServer server;

  @BeforeEach
  void start() {
    server = new TestServer();
    log.start();
    logger.addAppender(log);
  }

  @AfterEach
  void stop() {
    logger.detachAppender(log);
    server.close();
  }

  private TestClient as(String id) {
    Metadata headers = new Metadata();
    headers.put(Metadata.Key.of("x-request-id", Metadata.ASCII_STRING_MARSHALLER), id);
    return new TestClient(
        ClientInterceptors.intercept(
            server.channel, MetadataUtils.newAttachHeadersInterceptor(headers)));
  }

  private static Collector<StepResponse> step(TestClient client, Model model, String worker) {
    Collector<StepResponse> answers = new Collector<>();
    StreamObserver<StepRequest> call = StepServiceGrpc.newStub(client.channel).step(answers);
    call.onNext(
        whole(
            header(model, 1).toBuilder().setWorker(worker).setWorkerEpoch(1).build(),
            gradients(model, 1),
            options()));
    call.onCompleted();
    return answers;
  }

  @Test
  void eachCallHasItsIncident() {
    Model model = server.client().create(small("m").addWorkers("a").addWorkers("b"));
    server.optimizer.failure = new IllegalStateException("planned");
    Map<String, String> told = new LinkedHashMap<>();
    Collector<StepResponse> first = step(as("call-of-a"), model, "a");
    Collector<StepResponse> second = step(as("call-of-b"), model, "b");
    told.put(
        "call-of-a", TestClient.info(catchThrowable(first::await)).getMetadataOrThrow("incident"));
    told.put(
        "call-of-b", TestClient.info(catchThrowable(second::await)).getMetadataOrThrow("incident"));
    Map<String, String> logged = new LinkedHashMap<>();
    for (ILoggingEvent event : log.list) {
      Map<String, String> fields = event.getMDCPropertyMap();
      assertThat(fields)
          .containsEntry("method", "muond.v1.StepService/Step")
          .containsEntry("model", "m")
          .containsKey("peer");
      logged.put(
          fields.get("request"), event.getFormattedMessage().substring("incident ".length()));
    }
    assertThat(logged).containsExactlyInAnyOrderEntriesOf(told);
  }
}
