package io.muond.server.engine;

/**
 * A device has failed for good: all that its memory held is gone. The message says which, and why.
 */
public final class DeviceLostException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int ordinal;

  /**
   * @param ordinal and {@code name}: of the device
   * @param why in its driver's words
   */
  public DeviceLostException(int ordinal, String name, String why) {
    // One for all that meet it, so that a stack trace would be that of somebody else.
    super("device " + ordinal + " (" + name + ") was lost: " + why, null, false, false);
    this.ordinal = ordinal;
  }

  /** The device's number, as {@link DeviceInfo#ordinal}. */
  public int ordinal() {
    return ordinal;
  }
}
