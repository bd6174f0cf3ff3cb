package io.muond.server.metrics;

import static java.util.Objects.requireNonNull;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.MeterBinder;
import io.muond.server.model.Device;
import io.muond.server.model.Devices;
import java.util.function.ToDoubleFunction;

/** The memory of each device, whether it is lost, and what waits for it. */
public final class DeviceMetrics implements MeterBinder {
  private final Devices devices;

  public DeviceMetrics(Devices devices) {
    this.devices = requireNonNull(devices, "devices is null");
  }

  @Override
  public void bindTo(MeterRegistry registry) {
    for (Device device : devices.all()) {
      memory(
              device,
              "limit",
              "What models may take, in all",
              d -> d.engine().device().memoryBytes())
          .register(registry);
      memory(
              device,
              "available",
              "What is left of that, by the device's own count",
              d -> d.engine().device().availableBytes())
          .register(registry);
      memory(device, "allocated", "What models have", d -> d.engine().allocatedBytes())
          .register(registry);
      gauge(device, "lost", "1 once it has failed", d -> d.loss().isPresent() ? 1 : 0)
          .register(registry);
      gauge(device, "queue", "What waits for its thread", Device::waiting).register(registry);
    }
  }

  private static Gauge.Builder<Device> memory(
      Device device, String name, String description, ToDoubleFunction<Device> value) {
    return gauge(device, "memory." + name, description, value).baseUnit("bytes");
  }

  private static Gauge.Builder<Device> gauge(
      Device device, String name, String description, ToDoubleFunction<Device> value) {
    String ordinal = Integer.toString(device.engine().device().ordinal());
    return Gauge.builder("muond.device." + name, device, value)
        .description(description)
        .tag("device", ordinal);
  }
}
