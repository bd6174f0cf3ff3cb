package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.Status;
import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.client.MuondException;
import io.muond.client.StepOptions;
import io.muond.client.Tensor;
import io.muond.v1.ErrorReason;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What each principal may have, and that others have none of it. */
class QuotasTest extends TokensFixture {
  @Test
  void moreThanAPrincipalMayHave() throws Exception {
    try (MuondClient carol = client(CAROL);
        MuondClient alice = client(ALICE)) {
      MuondException memory =
          refused(
              "principal=\"carol\" .*CreateModel model=\"large\""
                  + " outcome=RESOURCE_EXHAUSTED/QUOTA_EXCEEDED$",
              () -> carol.createModel(model("large", 1 << 16)));
      assertThat(memory.code()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
      assertThat(memory.metadata())
          .containsEntry("principal", "carol")
          .containsEntry("quota", "device_memory")
          .containsEntry("limit", "1048576")
          .containsEntry("used", "0");
      for (int i = 0; i < 3; i++) {
        carol.createModel(model("m" + i, 4)).close();
      }
      MuondException models = refused("QUOTA_EXCEEDED$", () -> carol.createModel(model("m3", 4)));
      assertThat(models.metadata())
          .containsEntry("quota", "models")
          .containsEntry("limit", "3")
          .containsEntry("used", "3");
      // What carol may not is nothing to alice, and what carol frees is carol's again.
      alice.createModel(model("m3", 4)).close();
      alice.deleteModel("m3", false);
      carol.deleteModel("m0", false);
      carol.createModel(model("m3", 4)).close();
      for (int i = 1; i < 4; i++) {
        carol.deleteModel("m" + i, false);
      }
    }
  }

  /** Handles keep their streams open between steps. */
  @Test
  void moreCallsThanAPrincipalMayHave() throws Exception {
    Map<String, Tensor> gradient = Map.of("w", Tensor.of(new float[8], 4, 2));
    try (MuondClient carol = client(CAROL)) {
      try (ModelHandle first = carol.createModel(model("first", 4));
          ModelHandle second = carol.createModel(model("second", 4))) {
        first.step(gradient, StepOptions.learningRate(0.1));
        second.step(gradient, StepOptions.learningRate(0.1));
        MuondException refusal = refused("QUOTA_EXCEEDED$", carol::listModels);
        assertThat(refusal.metadata())
            .containsEntry("quota", "streams")
            .containsEntry("limit", "2")
            .containsEntry("used", "2");
      }
      await(() -> !isRefused(carol));
      carol.deleteModel("first", false);
      carol.deleteModel("second", false);
    }
  }

  private static boolean isRefused(MuondClient client) {
    try {
      client.serverInfo();
      return false;
    } catch (MuondException e) {
      assertThat(e.is(ErrorReason.QUOTA_EXCEEDED)).isTrue();
      return true;
    }
  }

  /** The client waits for its turn, if that comes within its deadline. */
  @Test
  void aRateIsWaitedOut() throws Exception {
    try (MuondClient slow = client(SLOW);
        MuondClient rare = client(RARE)) {
      long began = System.nanoTime();
      for (int i = 0; i < 6; i++) {
        slow.serverInfo();
      }
      // Two at once, then four a second.
      assertThat(System.nanoTime() - began).isGreaterThan(TimeUnit.MILLISECONDS.toNanos(900));
      rare.serverInfo();
      MuondException refusal = refused("principal=\"rare\" .*QUOTA_EXCEEDED$", rare::serverInfo);
      assertThat(refusal.code()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
      assertThat(refusal.metadata())
          .containsEntry("quota", "requests_per_second")
          .containsEntry("limit", "0.01");
      assertThat(refusal.retryDelay().orElseThrow())
          .isBetween(Duration.ofSeconds(50), Duration.ofSeconds(100));
    }
  }
}
