package io.muond.server.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.Test;

class ClosingTest {
  private final Closing closing = new Closing();
  private final List<String> told = new ArrayList<>();
  private final MuondException reason = Refusals.stepAborted("m", 1, "a test asked for it");

  @Test
  void everyoneIsToldOnceAndWhoComesLateAtOnce() {
    closing.onClose(Runnable::run, why -> told.add("a " + why.reason()));
    closing.onClose(Runnable::run, why -> told.add("b " + why.reason()));
    closing.requireOpen();
    closing.close(reason);
    closing.close(Refusals.shuttingDown());
    assertThat(told).containsExactlyInAnyOrder("a STEP_ABORTED", "b STEP_ABORTED");
    closing.onClose(Runnable::run, why -> told.add("c " + why.reason()));
    assertThat(told).hasSize(3).contains("c STEP_ABORTED");
    assertThatThrownBy(closing::requireOpen).isSameAs(reason);
  }

  @Test
  void whoIsForgottenIsNeitherKeptNorTold() {
    Runnable forget = closing.onClose(Runnable::run, why -> told.add("a"));
    assertThat(closing.listeners()).isEqualTo(1);
    forget.run();
    forget.run();
    assertThat(closing.listeners()).isZero();
    closing.close(reason);
    assertThat(told).isEmpty();
  }

  @Test
  void aStoppedExecutorKeepsNobodyElseFromBeingTold() {
    closing.onClose(
        task -> {
          throw new RejectedExecutionException("stopped");
        },
        why -> told.add("a"));
    closing.onClose(Runnable::run, why -> told.add("b"));
    closing.close(reason);
    assertThat(told).containsExactly("b");
  }
}
