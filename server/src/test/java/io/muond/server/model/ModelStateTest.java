package io.muond.server.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import net.jqwik.api.Example;

class ModelStateTest {
  private final ModelState state =
      new ModelState(
          new StepLedger("m", Incarnation.original(0), 1),
          new Lease(Optional.empty()),
          new WorkerSet(List.of(""), 1),
          true);
  private final List<String> served = new ArrayList<>();

  private CompletableFuture<Boolean> come(String who) {
    return state.whenIdle(() -> served.add(who));
  }

  private CompletableFuture<Boolean> comeToStay(String who) {
    return state.whenIdle(
        () -> {
          state.occupy();
          return served.add(who);
        });
  }

  /** Else steps that keep coming would never let new weights in. */
  @Example
  void whoWaitsIsServedInTheOrderOfArrival() {
    state.occupy();
    CompletableFuture<Boolean> a = come("a");
    CompletableFuture<Boolean> b = comeToStay("b");
    CompletableFuture<Boolean> c = come("c");
    assertThat(served).isEmpty();
    state.release().run();
    assertThat(served).containsExactly("a", "b");
    assertThat(a).isDone();
    assertThat(b).isDone();
    CompletableFuture<Boolean> d = come("d");
    assertThat(c).isNotDone();
    state.release().run();
    assertThat(served).containsExactly("a", "b", "c", "d");
    assertThat(d).isDone();
  }

  /** The answer to one must not come before the next has had its turn. */
  @Example
  void whoComesWithAnAnswerIsLater() {
    state.occupy();
    CompletableFuture<Boolean> again = come("step").thenCompose(done -> come("next step"));
    CompletableFuture<Boolean> upload = comeToStay("upload");
    state.release().run();
    assertThat(served).containsExactly("step", "upload");
    assertThat(upload).isDone();
    state.release().run();
    assertThat(again).isDone();
    assertThat(served).containsExactly("step", "upload", "next step");
  }

  @Example
  void oneThatIsRefusedDoesNotHoldUpTheNext() {
    state.occupy();
    CompletableFuture<Boolean> bad =
        state.whenIdle(
            () -> {
              throw new IllegalStateException("bad");
            });
    CompletableFuture<Boolean> good = come("good");
    state.release().run();
    assertThatThrownBy(bad::join).hasRootCauseMessage("bad");
    assertThat(good).isDone();
  }

  @Example
  void whoWaitsForAModelThatEndsIsRefused() {
    state.occupy();
    CompletableFuture<Boolean> waiting = come("a");
    state.close(Refusals.modelDeleted("m", "was deleted"));
    CompletableFuture<Boolean> late = come("b");
    state.release().run();
    assertThatThrownBy(waiting::join).hasRootCauseInstanceOf(MuondException.class);
    assertThatThrownBy(late::join).hasRootCauseInstanceOf(MuondException.class);
    assertThat(served).isEmpty();
  }
}
