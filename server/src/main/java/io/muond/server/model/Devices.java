package io.muond.server.model;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The devices of the server, and which of them are lost. */
public final class Devices implements AutoCloseable {
  private static final Logger logger = LoggerFactory.getLogger(Devices.class);

  private final List<Device> devices;
  private final CompletableFuture<Void> allLost = new CompletableFuture<>();

  /** How many losses were logged. */
  private long noted;

  /**
   * @param devices at least one, all of one kind
   */
  Devices(Stream<Device> devices) {
    this.devices = devices.toList();
  }

  /** All of them, the lost ones too. */
  public List<Device> all() {
    return devices;
  }

  /** Those that were not lost; refuses if there is none. */
  public List<Device> usable() {
    List<Device> usable = devices.stream().filter(d -> d.loss().isEmpty()).toList();
    if (usable.isEmpty()) {
      throw Refusals.deviceLost(devices.get(0).loss().orElseThrow());
    }
    return usable;
  }

  /** Completes once every device is lost: no model can be worked with any more. */
  public CompletableFuture<Void> allLost() {
    return allLost.copy();
  }

  /** To be called now and then, by one thread: logs losses. */
  void watch() {
    List<Device> lost = devices.stream().filter(d -> d.loss().isPresent()).toList();
    if (lost.size() > noted) {
      noted = lost.size();
      lost.forEach(d -> logger.error("{}", d.loss().orElseThrow().getMessage()));
    }
    if (lost.size() == devices.size()) {
      allLost.complete(null);
    }
  }

  /** Closes all of them; one that fails does not keep the others open. */
  @Override
  public void close() {
    for (Device device : devices) {
      try {
        device.close();
      } catch (RuntimeException e) {
        logger.error("device {} could not be closed", device.engine().device().ordinal(), e);
      }
    }
  }
}
