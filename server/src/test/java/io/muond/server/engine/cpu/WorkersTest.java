package io.muond.server.engine.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The team of threads. */
@Timeout(60)
class WorkersTest {
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 8})
  void everyTaskRunsOnceAndIsDoneOnReturn(int threads) {
    try (Workers workers = new Workers(threads)) {
      assertThat(workers.threads()).isEqualTo(threads);
      for (int job = 0; job < 5_000; job++) {
        int count = job % 13;
        // Plain ints: what the tasks wrote must be visible after run returns.
        int[] runs = new int[count];
        int number = job;
        workers.run(count, i -> runs[i] += number);
        assertThat(runs).containsOnly(count == 0 ? new int[0] : new int[] {number});
      }
    }
  }

  @Test
  void anotherThreadMayTakeOver() throws InterruptedException {
    try (Workers workers = new Workers(3)) {
      AtomicInteger runs = new AtomicInteger();
      for (int i = 0; i < 20; i++) {
        Thread owner =
            new Thread(
                () -> {
                  for (int job = 0; job < 50; job++) {
                    workers.run(10, task -> runs.incrementAndGet());
                  }
                });
        owner.start();
        owner.join();
      }
      assertThat(runs).hasValue(20 * 50 * 10);
    }
  }

  @Test
  void allThreadsWork() {
    int threads = 3;
    try (Workers workers = new Workers(threads)) {
      CountDownLatch all = new CountDownLatch(threads);
      Set<Thread> seen = ConcurrentHashMap.newKeySet();
      workers.run(
          threads,
          i -> {
            seen.add(Thread.currentThread());
            all.countDown();
            // No task ends before every thread has one.
            assertThat(await(all)).isTrue();
          });
      assertThat(seen).hasSize(threads).contains(Thread.currentThread());
    }
  }

  private static boolean await(CountDownLatch latch) {
    try {
      return latch.await(30, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void aFailureIsThrownAsItIsAndTheTeamWorksOn(int threads) {
    try (Workers workers = new Workers(threads)) {
      for (int round = 0; round < 200; round++) {
        AtomicIntegerArray runs = new AtomicIntegerArray(20);
        IllegalStateException failure = new IllegalStateException("task 7 of round " + round);
        assertThatThrownBy(
                () ->
                    workers.run(
                        20,
                        i -> {
                          runs.incrementAndGet(i);
                          if (i == 7) {
                            throw failure;
                          }
                        }))
            .isSameAs(failure);
        for (int i = 0; i < 20; i++) {
          assertThat(runs.get(i)).isEqualTo(1);
        }
      }
      AtomicInteger after = new AtomicInteger();
      workers.run(50, i -> after.incrementAndGet());
      assertThat(after).hasValue(50);
    }
  }

  @Test
  void anErrorIsThrownAsItIs() {
    try (Workers workers = new Workers(2)) {
      AssertionError error = new AssertionError("every task");
      assertThatThrownBy(
              () ->
                  workers.run(
                      9,
                      i -> {
                        throw error;
                      }))
          .isSameAs(error);
    }
  }

  @Test
  void closingEndsTheThreads() throws InterruptedException {
    Workers workers = new Workers(4);
    Set<Thread> helpers = ConcurrentHashMap.newKeySet();
    CountDownLatch all = new CountDownLatch(4);
    workers.run(
        4,
        i -> {
          helpers.add(Thread.currentThread());
          all.countDown();
          await(all);
        });
    helpers.remove(Thread.currentThread());
    assertThat(helpers).hasSize(3);
    workers.close();
    workers.close();
    for (Thread helper : helpers) {
      helper.join(10_000);
      assertThat(helper.isAlive()).isFalse();
    }
  }
}
