package io.muond.server.engine.cpu;

import io.muond.server.engine.Dealing;

/**
 * Deals elements out to native memory and gathers them again. What goes to one hand is put down in
 * one run: element by element, the hands of a large transpose would drive each other out of the
 * caches. A thread has one of its own.
 */
final class Dealer {
  /** 256 KiB twice: fits the second-level cache, and a run is a cache line up to 4096 hands. */
  private static final int FLOATS = 1 << 16;

  /** Two cache lines of each row are turned at once. */
  private static final int HANDS = 32;

  private static final ThreadLocal<Dealer> OF_THREAD = ThreadLocal.withInitial(Dealer::new);

  /** Elements in the order outside. */
  final float[] x = new float[FLOATS];

  private final float[] tile = new float[FLOATS];

  private Dealer() {}

  static Dealer get() {
    return OF_THREAD.get();
  }

  /** Deals {@code x[0, n)} out from {@code index} on; {@code first} is the number of the first. */
  void put(CpuMemory to, long index, Dealing dealing, long first, int n) {
    for (int done = 0; done < n; ) {
      long place = index + dealing.place(first + done);
      int rows = rows(dealing, first + done, n - done);
      if (rows > 1) {
        putRows(to, place, dealing, done, rows);
        done += rows * (int) dealing.hands();
      } else {
        int length = toRowEnd(dealing, first + done, n - done);
        for (int i = 0; i < length; i++) {
          to.put(place + i * dealing.cards(), x[done + i]);
        }
        done += length;
      }
    }
  }

  /** The opposite of {@link #put}. */
  void get(CpuMemory from, long index, Dealing dealing, long first, int n) {
    for (int done = 0; done < n; ) {
      long place = index + dealing.place(first + done);
      int rows = rows(dealing, first + done, n - done);
      if (rows > 1) {
        getRows(from, place, dealing, done, rows);
        done += rows * (int) dealing.hands();
      } else {
        int length = toRowEnd(dealing, first + done, n - done);
        for (int i = 0; i < length; i++) {
          x[done + i] = from.get(place + i * dealing.cards());
        }
        done += length;
      }
    }
  }

  /** How many whole rows, of one element for each hand, begin at an element, of one block. */
  private static int rows(Dealing dealing, long element, int left) {
    long hands = dealing.hands();
    long ofBlock = (element % dealing.block()) / hands;
    return element % hands == 0 ? (int) Math.min(left / hands, dealing.cards() - ofBlock) : 0;
  }

  private static int toRowEnd(Dealing dealing, long element, int left) {
    return (int) Math.min(left, dealing.hands() - element % dealing.hands());
  }

  private void putRows(CpuMemory to, long place, Dealing dealing, int at, int rows) {
    int hands = (int) dealing.hands();
    for (int from = 0; from < hands; from += HANDS) {
      int some = Math.min(HANDS, hands - from);
      for (int r = 0; r < rows; r++) {
        for (int h = 0; h < some; h++) {
          tile[h * rows + r] = x[at + r * hands + from + h];
        }
      }
      for (int h = 0; h < some; h++) {
        to.put(place + (from + h) * dealing.cards(), tile, h * rows, rows);
      }
    }
  }

  private void getRows(CpuMemory from, long place, Dealing dealing, int at, int rows) {
    int hands = (int) dealing.hands();
    for (int first = 0; first < hands; first += HANDS) {
      int some = Math.min(HANDS, hands - first);
      for (int h = 0; h < some; h++) {
        from.get(place + (first + h) * dealing.cards(), tile, h * rows, rows);
      }
      for (int r = 0; r < rows; r++) {
        for (int h = 0; h < some; h++) {
          x[at + r * hands + first + h] = tile[h * rows + r];
        }
      }
    }
  }
}
