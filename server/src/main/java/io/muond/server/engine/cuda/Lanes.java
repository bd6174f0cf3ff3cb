package io.muond.server.engine.cuda;

import io.muond.server.engine.Recorder;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/** The lanes of a device, of which operations take one at a time: the first, but for branches. */
final class Lanes {
  private final List<Lane> lanes = new ArrayList<>();

  /** Lanes that have begun after the mark of the first one, and are not joined yet. */
  private final BitSet forked = new BitSet();

  private Lane current;

  Lanes(CudaDevice device) {
    current = Lane.main(device);
    lanes.add(current);
    for (int i = 1; i < Recorder.BRANCHES; i++) {
      lanes.add(Lane.branch(device));
    }
  }

  /** Where operations go. */
  Lane current() {
    return current;
  }

  /** Operations go to branch {@code number} from now on. */
  void branch(int number) {
    Lane first = lanes.get(0);
    if (forked.isEmpty()) {
      first.mark();
    }
    current = lanes.get(number);
    if (!forked.get(number)) {
      forked.set(number);
      if (current != first) {
        current.await(first);
      }
    }
  }

  /** What follows comes after all branches. */
  void join() {
    Lane first = lanes.get(0);
    forked.clear(0);
    forked.stream()
        .mapToObj(lanes::get)
        .forEach(
            lane -> {
              lane.mark();
              first.await(lane);
            });
    forked.clear();
    current = first;
  }

  /** A sequence begins, or something that was recorded has run: pointers are to be made again. */
  void forget() {
    lanes.forEach(lane -> lane.gemm().forget());
  }

  /**
   * Begins anew after a failure, to which what fails now is added: waits for what was asked for.
   */
  void abandonAfter(Throwable failure) {
    forget();
    forked.clear();
    current = lanes.get(0);
    for (Lane lane : lanes) {
      try {
        lane.synchronize();
      } catch (RuntimeException e) {
        failure.addSuppressed(e);
      }
    }
  }
}
