package io.muond.server.engine.cuda;

import io.muond.server.engine.Dealing;
import io.muond.server.engine.ElementType;
import io.muond.server.engine.Memory;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/** Float32 elements on one device. */
final class CudaMemory implements Memory {
  private final CudaDevice device;
  private final CudaTransfer transfer;
  private final String owner;
  private final long floats;
  private final long address;
  private final Runnable onClose;

  /** Held for reading by transfers, which come from any thread: closing waits for them. */
  private final ReadWriteLock transfers = new ReentrantReadWriteLock();

  private volatile boolean closed;

  /**
   * @param bytes to allocate, at least those of the elements
   */
  CudaMemory(
      CudaDevice device,
      CudaTransfer transfer,
      String owner,
      long floats,
      long bytes,
      Runnable onClose) {
    this.device = device;
    this.transfer = transfer;
    this.owner = owner;
    this.floats = floats;
    this.onClose = onClose;
    address = device.allocate(owner, bytes);
  }

  CudaDevice device() {
    return device;
  }

  String owner() {
    return owner;
  }

  @Override
  public long floats() {
    return floats;
  }

  /** The device address of an element. */
  long at(long index) {
    requireOpen();
    return address + index * Float.BYTES;
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("memory of " + owner + " was closed");
    }
  }

  /** Keeps the memory open until the lock is released, and checks that it has these elements. */
  Lock hold(long index, long length) {
    Lock lock = transfers.readLock();
    lock.lock();
    try {
      requireOpen();
      if (index < 0 || index > floats - length) {
        throw new IndexOutOfBoundsException(
            "elements [" + index + ", +" + length + ") of " + floats + " of " + owner);
      }
    } catch (RuntimeException e) {
      lock.unlock();
      throw e;
    }
    return lock;
  }

  @Override
  public long receive(
      long index, Dealing dealing, long first, ElementType type, long count, Source from) {
    return device.using(
        () -> {
          device.settle();
          return transfer.receive(this, index, dealing, first, type, count, from);
        });
  }

  @Override
  public void send(long index, Dealing dealing, long first, ElementType type, long count, Sink to) {
    device.using(
        () -> {
          device.settle();
          transfer.send(this, index, dealing, first, type, count, to);
          return to;
        });
  }

  @Override
  public void close() {
    transfers.writeLock().lock();
    try {
      if (closed) {
        return;
      }
      closed = true;
      device.giveBack(
          () -> {
            device.synchronize();
            device.free(address);
          });
    } finally {
      transfers.writeLock().unlock();
      onClose.run();
    }
  }
}
