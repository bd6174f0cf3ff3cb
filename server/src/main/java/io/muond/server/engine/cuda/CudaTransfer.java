package io.muond.server.engine.cuda;

import static io.muond.server.engine.cuda.Cuda.check;

import io.muond.kernels.Dealt;
import io.muond.kernels.WireKernels;
import io.muond.server.engine.Dealing;
import io.muond.server.engine.ElementType;
import io.muond.server.engine.Memory;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.locks.Lock;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;

/**
 * Elements from outside to float32 in device memory and back. A transfer takes a slot: pinned
 * memory on the host, as much on the device, and a stream, so that several threads copy at once and
 * none waits for a step. Slots last as long as the device.
 */
final class CudaTransfer {
  /** Two for each direction. */
  private static final int SLOTS = 4;

  private static final int SLOT_BYTES = 2 << 20;

  private final CudaDevice device;
  private final BlockingQueue<Slot> free = new ArrayBlockingQueue<>(SLOTS);

  CudaTransfer(CudaDevice device) {
    this.device = device;
    for (int i = 0; i < SLOTS; i++) {
      free.add(new Slot());
    }
  }

  /** Returns the index of the first element that is not finite, or −1. */
  long receive(
      CudaMemory to,
      long index,
      Dealing dealing,
      long first,
      ElementType type,
      long count,
      Memory.Source from) {
    Lock held = hold(to, index, dealing, first, count);
    Slot slot = take();
    try {
      long bad = -1;
      for (long done = 0; done < count; ) {
        int some = (int) Math.min(SLOT_BYTES / type.bytes(), count - done);
        Dealt place = dealt(to, index, dealing, first + done);
        long found = slot.receive(place, type, some, from);
        if (bad < 0 && found >= 0) {
          bad = done + found;
        }
        done += some;
      }
      return bad;
    } finally {
      free.add(slot);
      held.unlock();
    }
  }

  void send(
      CudaMemory from,
      long index,
      Dealing dealing,
      long first,
      ElementType type,
      long count,
      Memory.Sink to) {
    Lock held = hold(from, index, dealing, first, count);
    Slot slot = take();
    try {
      for (long done = 0; done < count; ) {
        int some = (int) Math.min(SLOT_BYTES / type.bytes(), count - done);
        slot.send(dealt(from, index, dealing, first + done), type, some, to);
        done += some;
      }
    } finally {
      free.add(slot);
      held.unlock();
    }
  }

  private static Lock hold(CudaMemory memory, long index, Dealing dealing, long first, long count) {
    long begin = dealing.begin(first);
    return memory.hold(index + begin, dealing.end(first, count) - begin);
  }

  private static Dealt dealt(CudaMemory memory, long index, Dealing dealing, long first) {
    return new Dealt(memory.at(index), dealing.hands(), dealing.cards(), first);
  }

  private Slot take() {
    device.bind();
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return free.take();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private final class Slot {
    private final CUstream stream = new CUstream();
    private final PinnedMemory host = new PinnedMemory(device, SLOT_BYTES);

    /** Where the device tells of an element that is not finite: −1 if there is none. */
    private final PinnedMemory told = new PinnedMemory(device, Long.BYTES);

    private final long staged = device.reserve("staging", SLOT_BYTES);
    private final long nonFinite = device.reserve("staging", Long.BYTES);

    Slot() {
      device.create(stream);
      forget();
    }

    /** Nothing that is not finite has been found. */
    private void forget() {
      check(
          JCudaDriver.cuMemsetD32Async(Cuda.at(nonFinite), -1, Long.BYTES / Integer.BYTES, stream),
          "cuMemsetD32Async");
      check(JCudaDriver.cuStreamSynchronize(stream), "cuStreamSynchronize");
    }

    private WireKernels kernels() {
      return device.kernels().wire();
    }

    /** Takes elements; returns the index of the first that is not finite, or −1. */
    long receive(Dealt to, ElementType type, int count, Memory.Source from) {
      try {
        return take(to, type, count, from);
      } catch (RuntimeException e) {
        try {
          forget();
        } catch (RuntimeException suppressed) {
          e.addSuppressed(suppressed);
        }
        throw e;
      }
    }

    private long take(Dealt to, ElementType type, int count, Memory.Source from) {
      int bytes = count * type.bytes();
      from.read(host.bytes().clear().limit(bytes));
      check(
          JCudaDriver.cuMemcpyHtoDAsync(Cuda.at(staged), host.pointer(), bytes, stream),
          "cuMemcpyHtoDAsync");
      told.bytes().putLong(0, -1);
      kernels().receive(stream, Views.wireType(type), staged, to, count, 0, nonFinite);
      kernels().tellNonFinite(stream, nonFinite, told.address());
      check(JCudaDriver.cuStreamSynchronize(stream), "cuStreamSynchronize");
      return told.bytes().getLong(0);
    }

    void send(Dealt from, ElementType type, int count, Memory.Sink to) {
      int bytes = count * type.bytes();
      kernels().send(stream, Views.wireType(type), from, staged, count);
      check(
          JCudaDriver.cuMemcpyDtoHAsync(host.pointer(), Cuda.at(staged), bytes, stream),
          "cuMemcpyDtoHAsync");
      check(JCudaDriver.cuStreamSynchronize(stream), "cuStreamSynchronize");
      to.write(host.bytes().clear().limit(bytes));
    }
  }
}
