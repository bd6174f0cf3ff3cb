package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.gradients;
import static io.muond.server.rpc.TestClient.parameter;
import static io.muond.server.rpc.TestClient.whole;
import static org.assertj.core.api.Assertions.assertThat;

import io.muond.server.engine.Engine;
import io.muond.server.engine.TestEngines;
import io.muond.v1.CommitOptions;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Model;
import io.muond.v1.ParameterList;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Several clients step models on one device. */
@Timeout(60)
class FairnessTest {
  private static final int GREEDY = 6;
  private static final int SIZE = 256;
  private static final int MODEST_STEPS = 15;

  private static Model create(TestClient client, String name, int size) {
    return client.create(
        CreateModelRequest.newBuilder()
            .setModel(name)
            .setSeed(1)
            .setParameters(ParameterList.newBuilder().addParameters(parameter("w", size, size))));
  }

  private static void step(TestClient client, Model model, long step) {
    CommitOptions options = CommitOptions.newBuilder().setLearningRate(0.01).build();
    client.step(whole(TestClient.header(model, step), gradients(model, 1), options));
  }

  /** In the order of arrival a step of each of the six would come before its own. */
  @Test
  void manyLargeModelsDoNotStarveASmallOne() {
    Engine engine = TestEngines.open(1, 64 << 20);
    AtomicLong greedySteps = new AtomicLong();
    try (EnginesServer server = new EnginesServer(List.of(engine), Optional.empty())) {
      TestClient client = server.client();
      Model modest = create(client, "modest", 16);
      List<CompletableFuture<Void>> greedy = new ArrayList<>();
      CompletableFuture<Void> enough = new CompletableFuture<>();
      for (int i = 0; i < GREEDY; i++) {
        Model model = create(client, "greedy" + i, SIZE);
        greedy.add(
            CompletableFuture.runAsync(
                () -> {
                  for (long step = 1; !enough.isDone(); step++) {
                    step(client, model, step);
                    greedySteps.incrementAndGet();
                  }
                },
                task -> new Thread(task, "greedy").start()));
      }
      while (greedySteps.get() < 2 * GREEDY) {
        LockSupport.parkNanos(1_000_000);
      }
      long[] others = new long[MODEST_STEPS];
      for (int step = 1; step <= MODEST_STEPS; step++) {
        long before = greedySteps.get();
        step(client, modest, step);
        others[step - 1] = greedySteps.get() - before;
      }
      enough.complete(null);
      greedy.forEach(CompletableFuture::join);
      Arrays.sort(others);
      // The one that computes when it comes, and what is answered before it is.
      assertThat(others[MODEST_STEPS / 2]).as("steps of others while one waits").isBetween(0L, 3L);
    } finally {
      TestEngines.close(engine);
    }
  }
}
