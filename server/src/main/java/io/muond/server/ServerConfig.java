package io.muond.server;

import com.sun.management.OperatingSystemMXBean;
import io.muond.server.log.Logging;
import io.muond.units.DataSize;
import io.muond.units.Durations;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import org.slf4j.event.Level;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** The daemon's settings: flags, or MUOND_… in the environment; a flag wins. */
final class ServerConfig {
  /** Which engine computes. */
  enum EngineChoice {
    /** CUDA where a device is found, otherwise the CPU. */
    AUTO,
    CPU,
    CUDA
  }

  @Option(
      names = "--host",
      defaultValue = "127.0.0.1",
      paramLabel = "ADDRESS",
      description = "address to listen on (default: ${DEFAULT-VALUE})")
  String host;

  @Option(
      names = "--port",
      defaultValue = "8470",
      paramLabel = "PORT",
      converter = PortConverter.class,
      description = "port of gRPC, 0 for any (default: ${DEFAULT-VALUE})")
  int port;

  @Option(
      names = "--http-port",
      defaultValue = "8471",
      paramLabel = "PORT",
      converter = PortConverter.class,
      description = "port of /status, /metrics and /healthz, 0 for any (default: ${DEFAULT-VALUE})")
  int httpPort;

  @Option(
      names = "--show-models",
      arity = "0..1",
      fallbackValue = "true",
      paramLabel = "true|false",
      description =
          "name models, and whose they are, on the HTTP port: in /status and in metrics by model"
              + " (default: unless the server asks who calls)")
  private Boolean showModels;

  @Option(
      names = "--engine",
      defaultValue = "auto",
      paramLabel = "ENGINE",
      converter = EngineConverter.class,
      description = "auto, cpu or cuda (default: ${DEFAULT-VALUE})")
  EngineChoice engine;

  @Option(
      names = "--data-dir",
      paramLabel = "DIR",
      description = "directory of checkpoints (default: none)")
  Path dataDirectory;

  @Option(
      names = "--ready-file",
      paramLabel = "FILE",
      description = "file to write the addresses to, as JSON, once serving (default: none)")
  Path readyFile;

  @Option(
      names = "--memory",
      paramLabel = "SIZE",
      converter = SizeConverter.class,
      description = "memory for models, like 8GiB (default: 3/4 of the machine's)")
  DataSize memory;

  @Option(
      names = "--threads",
      paramLabel = "COUNT",
      converter = ThreadsConverter.class,
      description = "threads of the CPU engine (default: the processors)")
  Integer threads;

  @Option(
      names = "--step-timeout",
      defaultValue = "60s",
      paramLabel = "TIME",
      converter = DurationConverter.class,
      description = "how long an open step may stay without news (default: ${DEFAULT-VALUE})")
  Duration stepTimeout;

  @Option(
      names = "--reader-grace",
      defaultValue = "100ms",
      paramLabel = "TIME",
      converter = DurationConverter.class,
      description = "how long a step waits for slow readers (default: ${DEFAULT-VALUE})")
  Duration readerGrace;

  @Option(
      names = "--drain-timeout",
      defaultValue = "20s",
      paramLabel = "TIME",
      converter = DurationConverter.class,
      description =
          "within which all ends once it is asked to: half of it for open steps, then answers, then"
              + " last checkpoints (default: ${DEFAULT-VALUE})")
  Duration drainTimeout;

  @Option(
      names = "--log-format",
      defaultValue = "text",
      paramLabel = "FORMAT",
      converter = FormatConverter.class,
      description = "text or json: one object for each line (default: ${DEFAULT-VALUE})")
  Logging.Format logFormat;

  @Option(
      names = "--log-level",
      defaultValue = "info",
      paramLabel = "LEVEL",
      converter = LevelConverter.class,
      description =
          "error, warn, info, debug, which has a line for each call, or trace"
              + " (default: ${DEFAULT-VALUE})")
  Level logLevel;

  @Mixin SecurityConfig security;

  /**
   * Whether the HTTP port, which asks nobody for a name, tells of each model.
   *
   * @param authenticating whether the gRPC port asks for one
   */
  boolean showsModels(boolean authenticating) {
    return showModels == null ? !authenticating : showModels;
  }

  Optional<Path> dataDirectory() {
    return Optional.ofNullable(dataDirectory);
  }

  /** Threads of the CPU engine. */
  int threadCount() {
    return threads == null ? Runtime.getRuntime().availableProcessors() : threads;
  }

  /** Memory that models may take, in bytes. */
  long memoryBytes() {
    if (memory != null) {
      return memory.bytes();
    }
    OperatingSystemMXBean machine =
        ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
    return machine.getTotalMemorySize() / 4 * 3;
  }

  private static TypeConversionException refused(String value, String expectation) {
    return new TypeConversionException(value + " (expected: " + expectation + ")");
  }

  static int integer(String value, int from, int to) {
    String expectation = "an integer from " + from + " to " + to;
    try {
      int number = Integer.parseInt(value.strip());
      if (number < from || number > to) {
        throw refused(value, expectation);
      }
      return number;
    } catch (NumberFormatException e) {
      throw refused(value, expectation);
    }
  }

  static final class PortConverter implements ITypeConverter<Integer> {
    @Override
    public Integer convert(String value) {
      return integer(value, 0, 65_535);
    }
  }

  static final class ThreadsConverter implements ITypeConverter<Integer> {
    @Override
    public Integer convert(String value) {
      return integer(value, 1, 1_024);
    }
  }

  private static <T extends Enum<T>> T choice(T[] choices, String value, String expectation) {
    for (T choice : choices) {
      if (choice.name().toLowerCase(Locale.ROOT).equals(value)) {
        return choice;
      }
    }
    throw refused(value, expectation);
  }

  static final class EngineConverter implements ITypeConverter<EngineChoice> {
    @Override
    public EngineChoice convert(String value) {
      return choice(EngineChoice.values(), value, "auto, cpu or cuda");
    }
  }

  static final class FormatConverter implements ITypeConverter<Logging.Format> {
    @Override
    public Logging.Format convert(String value) {
      return choice(Logging.Format.values(), value, "text or json");
    }
  }

  static final class LevelConverter implements ITypeConverter<Level> {
    @Override
    public Level convert(String value) {
      return choice(Level.values(), value, "error, warn, info, debug or trace");
    }
  }

  static final class SizeConverter implements ITypeConverter<DataSize> {
    @Override
    public DataSize convert(String value) {
      try {
        return DataSize.parse(value);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }

  static final class DurationConverter implements ITypeConverter<Duration> {
    @Override
    public Duration convert(String value) {
      try {
        return Durations.parse(value);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }
}
