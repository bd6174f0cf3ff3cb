package io.muond.server.metrics;

import static java.util.Objects.requireNonNull;

import io.grpc.netty.shaded.io.netty.util.internal.PlatformDependent;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.MeterBinder;
import io.micrometer.core.instrument.binder.jvm.ClassLoaderMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.DiskSpaceMetrics;
import io.micrometer.core.instrument.binder.system.FileDescriptorMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.core.instrument.binder.system.UptimeMetrics;
import java.nio.file.Path;
import java.util.Optional;

/** The process: its version, the JVM, what it has of the machine, and the disk of checkpoints. */
public final class ProcessMetrics implements MeterBinder, AutoCloseable {
  private final JvmGcMetrics collections = new JvmGcMetrics();
  private final String engine;
  private final Optional<Path> dataDirectory;

  /**
   * @param engine its kind
   * @param dataDirectory whose disk is watched
   */
  public ProcessMetrics(String engine, Optional<Path> dataDirectory) {
    this.engine = requireNonNull(engine, "engine is null");
    this.dataDirectory = requireNonNull(dataDirectory, "dataDirectory is null");
  }

  @Override
  public void bindTo(MeterRegistry registry) {
    Gauge.builder("muond.build.info", () -> 1)
        .description("1, with what runs in its labels")
        .tag("version", BuildVersion.get())
        .tag("engine", engine)
        .tag("java", System.getProperty("java.version"))
        .register(registry);
    Gauge.builder("muond.transport.memory", PlatformDependent::usedDirectMemory)
        .description("Memory of gRPC's transport outside the heap")
        .baseUnit("bytes")
        .register(registry);
    new ClassLoaderMetrics().bindTo(registry);
    new JvmMemoryMetrics().bindTo(registry);
    collections.bindTo(registry);
    new JvmThreadMetrics().bindTo(registry);
    new ProcessorMetrics().bindTo(registry);
    new FileDescriptorMetrics().bindTo(registry);
    new UptimeMetrics().bindTo(registry);
    dataDirectory.ifPresent(path -> new DiskSpaceMetrics(path.toFile()).bindTo(registry));
  }

  @Override
  public void close() {
    collections.close();
  }
}
