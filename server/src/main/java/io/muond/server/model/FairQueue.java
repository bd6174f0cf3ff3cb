package io.muond.server.model;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;

/**
 * Work that waits for one thread, in a fair order: the next is that of the principal that has had
 * the least of the thread's time, and of its models the one that has had the least. One that comes
 * back from a pause has saved nothing up by it. Work of one model keeps its order. Not thread-safe.
 *
 * <p>Start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996) with equal weights, on two
 * levels; time is charged when it is known, after the work.
 */
final class FairQueue<T> {
  private final Level<Level<Deque<T>>> principals = new Level<>();

  /** The next work, and who is to be charged for it. */
  record Next<T>(Party party, T work) {}

  /** Those who share some time. */
  private static final class Level<V> {
    private final Map<String, Share<V>> shares = new HashMap<>();

    /** How much each of those who want time has had at least. */
    private double virtualTime;

    private static final class Share<V> {
      private final V content;
      private double used;
      private boolean waiting;

      private Share(V content) {
        this.content = content;
      }
    }

    /** One that has work from now on. */
    private V enter(String name, V fresh) {
      Share<V> share = shares.computeIfAbsent(name, any -> new Share<>(fresh));
      if (!share.waiting) {
        share.waiting = true;
        share.used = Math.max(share.used, virtualTime);
      }
      return share.content;
    }

    /** The name of the one that has had the least; null if nobody has work. */
    private String least() {
      String least = null;
      double used = Double.POSITIVE_INFINITY;
      for (Map.Entry<String, Share<V>> entry : shares.entrySet()) {
        Share<V> share = entry.getValue();
        if (share.waiting && share.used < used) {
          least = entry.getKey();
          used = share.used;
        }
      }
      if (least != null) {
        virtualTime = Math.max(virtualTime, used);
      }
      return least;
    }

    private void charge(String name, double seconds) {
      Share<V> share = shares.get(name);
      if (share != null) {
        share.used += seconds;
      }
      if (shares.values().stream().noneMatch(s -> s.waiting)) {
        // Nobody has waited for another: all begin anew.
        shares.values().forEach(s -> virtualTime = Math.max(virtualTime, s.used));
      }
      // Whoever has no work, and has had no more than the others, would begin anew as well.
      shares.values().removeIf(idle -> !idle.waiting && idle.used <= virtualTime);
    }
  }

  void add(Party party, T work) {
    principals
        .enter(party.principal(), new Level<>())
        .enter(party.model(), new ArrayDeque<>())
        .add(work);
  }

  /** Takes the next work; null if there is none. */
  Next<T> take() {
    String principal = principals.least();
    if (principal == null) {
      return null;
    }
    Level.Share<Level<Deque<T>>> group = principals.shares.get(principal);
    String model = group.content.least();
    Level.Share<Deque<T>> own = group.content.shares.get(model);
    T work = own.content.remove();
    own.waiting = !own.content.isEmpty();
    group.waiting = group.content.shares.values().stream().anyMatch(share -> share.waiting);
    return new Next<>(new Party(principal, model), work);
  }

  /** Work of {@code party} has taken so long. */
  void charge(Party party, double seconds) {
    Level.Share<Level<Deque<T>>> group = principals.shares.get(party.principal());
    if (group != null) {
      group.content.charge(party.model(), seconds);
    }
    principals.charge(party.principal(), seconds);
  }

  /**
   * How many models it knows of: those that have work, and those that have had more than others.
   */
  int size() {
    return principals.shares.values().stream().mapToInt(g -> g.content.shares.size()).sum();
  }
}
