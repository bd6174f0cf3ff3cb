package io.muond.server.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;

class FairQueueTest {
  /** Does the next work; whoever it is of has more of the same at once. */
  private static Party work(FairQueue<Double> queue, Map<Party, Double> had) {
    FairQueue.Next<Double> next = queue.take();
    queue.add(next.party(), next.work());
    queue.charge(next.party(), next.work());
    had.merge(next.party(), next.work(), Double::sum);
    return next.party();
  }

  /** However long the work of each takes, nobody gets behind by more than one piece of it. */
  @Property(tries = 200)
  void everyModelHasTheSameTime(
      @ForAll @Size(min = 2, max = 6) List<@DoubleRange(min = 0.01, max = 5) Double> pieces) {
    FairQueue<Double> queue = new FairQueue<>();
    Map<Party, Double> had = new HashMap<>();
    double longest = 0;
    for (int i = 0; i < pieces.size(); i++) {
      queue.add(new Party("", "m" + i), pieces.get(i));
      longest = Math.max(longest, pieces.get(i));
    }
    for (int i = 0; i < 3_000; i++) {
      work(queue, had);
    }
    double most = had.values().stream().max(Double::compare).orElseThrow();
    for (int i = 0; i < pieces.size(); i++) {
      assertThat(had.get(new Party("", "m" + i))).isCloseTo(most, within(2 * longest));
    }
  }

  /** One who has many models has no more for it. */
  @Property(tries = 50)
  void everyPrincipalHasTheSameTime(@ForAll @IntRange(min = 1, max = 30) int models) {
    FairQueue<Double> queue = new FairQueue<>();
    Map<Party, Double> had = new HashMap<>();
    for (int i = 0; i < models; i++) {
      queue.add(new Party("greedy", "m" + i), 2.0);
    }
    queue.add(new Party("modest", "m"), 0.5);
    for (int i = 0; i < 3_000; i++) {
      work(queue, had);
    }
    double modest = had.get(new Party("modest", "m"));
    double greedy = had.values().stream().mapToDouble(t -> t).sum() - modest;
    assertThat(greedy).isCloseTo(modest, within(8.0));
  }

  @Example
  void aPauseSavesNothingUp() {
    FairQueue<Double> queue = new FairQueue<>();
    Map<Party, Double> had = new HashMap<>();
    Party steady = new Party("", "steady");
    Party late = new Party("", "late");
    queue.add(steady, 1.0);
    for (int i = 0; i < 100; i++) {
      work(queue, had);
    }
    queue.add(late, 1.0);
    for (int i = 0; i < 100; i++) {
      work(queue, had);
    }
    assertThat(had.get(late)).isCloseTo(50, within(2.0));
    assertThat(had.get(steady)).isCloseTo(150, within(2.0));
  }

  /** A client that waits for each answer has nothing queued while its own work is done. */
  @Example
  void whoWaitsForAnswersHasTheSameTime() {
    FairQueue<Double> queue = new FairQueue<>();
    Map<Party, Double> had = new HashMap<>();
    Party one = new Party("", "long");
    Party other = new Party("", "short");
    queue.add(one, 3.0);
    queue.add(other, 1.0);
    for (int i = 0; i < 400; i++) {
      FairQueue.Next<Double> next = queue.take();
      queue.charge(next.party(), next.work());
      had.merge(next.party(), next.work(), Double::sum);
      queue.add(next.party(), next.work());
    }
    assertThat(had.get(one)).isCloseTo(had.get(other), within(6.0));
  }

  @Example
  void workOfOneModelKeepsItsOrder() {
    FairQueue<Double> queue = new FairQueue<>();
    Party party = new Party("p", "m");
    for (int i = 0; i < 20; i++) {
      queue.add(party, (double) i);
    }
    for (int i = 0; i < 20; i++) {
      assertThat(queue.take().work()).isEqualTo(i);
      queue.charge(party, 1);
    }
    assertThat(queue.take()).isNull();
  }

  @Example
  void whoHasGoneIsForgotten() {
    FairQueue<Double> queue = new FairQueue<>();
    Party steady = new Party("p", "steady");
    queue.add(steady, 1.0);
    for (int i = 0; i < 1_000; i++) {
      queue.add(new Party("p" + i, "m"), 1.0);
      queue.add(new Party("p", "m" + i), 1.0);
      for (int j = 0; j < 3; j++) {
        FairQueue.Next<Double> next = queue.take();
        queue.charge(next.party(), 1);
        if (next.party().equals(steady)) {
          queue.add(steady, 1.0);
        }
      }
    }
    for (FairQueue.Next<Double> next = queue.take(); next != null; next = queue.take()) {
      queue.charge(next.party(), 1);
    }
    assertThat(queue.size()).isZero();
  }
}
