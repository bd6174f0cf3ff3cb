package io.muond.server.engine;

/** An allocation does not fit into what is left of the engine's memory. */
public final class OutOfDeviceMemoryException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final long neededBytes;
  private final long availableBytes;

  public OutOfDeviceMemoryException(String owner, long neededBytes, long availableBytes) {
    super(
        owner
            + " needs "
            + neededBytes
            + " bytes of device memory ("
            + availableBytes
            + " bytes are available)");
    this.neededBytes = neededBytes;
    this.availableBytes = availableBytes;
  }

  public long neededBytes() {
    return neededBytes;
  }

  public long availableBytes() {
    return availableBytes;
  }
}
