package io.muond.server;

import ch.qos.logback.classic.LoggerContext;
import io.muond.server.Daemon.StartException;
import io.muond.server.log.Logging;
import java.io.IOException;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.locks.LockSupport;
import java.util.logging.Level;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/**
 * The daemon. Ends with status 0 when it is asked to stop, 1 when it cannot start, 2 when it was
 * asked to stop and something was cut off or could not be saved.
 */
@Command(
    name = "muond-server",
    description = "Keeps weights on a device and applies manifold Muon steps to them.",
    footer = "Each flag is also an environment variable: --http-port is MUOND_HTTP_PORT.",
    mixinStandardHelpOptions = true,
    versionProvider = Main.Version.class)
public final class Main implements Callable<Integer> {
  private static final Logger logger = LoggerFactory.getLogger(Main.class);

  /** Logs a stack trace whenever a client cancels a call. Held, since loggers are weakly held. */
  private static final java.util.logging.Logger TRANSPORT =
      java.util.logging.Logger.getLogger("io.grpc.netty.shaded.io.grpc.netty.NettyServerHandler");

  /** The status of an end at which something was cut off or not saved; the log names it. */
  private static final int INCOMPLETE = 2;

  /** What it takes to close everything when there is nothing to wait for. */
  private static final Duration LEAST_TIMEOUT = Duration.ofSeconds(1);

  @Mixin private ServerConfig config;

  /** Starts the server; returns when it cannot start. */
  public static void main(String[] args) {
    TRANSPORT.setLevel(Level.SEVERE);
    System.exit(commandLine(System.getenv()).execute(args));
  }

  /** The command line, with defaults out of {@code environment}. */
  static CommandLine commandLine(Map<String, String> environment) {
    return new CommandLine(new Main())
        .setDefaultValueProvider(new EnvironmentDefaults(environment))
        .setParameterExceptionHandler(
            (e, arguments) -> {
              e.getCommandLine().getErr().println(error(e.getMessage()));
              return 1;
            });
  }

  /** One line that says whose it is, as it may end up in a log among others. */
  private static String error(String message) {
    return "muond-server: " + message.lines().findFirst().orElse("");
  }

  @Override
  public Integer call() throws InterruptedException {
    Logging.configure(config.logFormat, config.logLevel);
    Daemon daemon;
    try {
      daemon = new Daemon(config);
    } catch (StartException e) {
      return fail(e.getMessage());
    }
    Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(daemon), "stop"));
    logger.info(
        "serving gRPC on {}, metrics on http://{}/metrics",
        daemon.grpcAddress(),
        daemon.httpAddress());
    try {
      writeReadyFile(daemon);
    } catch (IOException e) {
      fail("--ready-file: " + e + " (expected: a file that can be written)");
      Runtime.getRuntime().halt(1);
    }
    Thread.currentThread().join();
    return 0;
  }

  /** Says why it cannot start, in one line. */
  private int fail(String message) {
    if (config.logFormat == Logging.Format.TEXT) {
      System.err.println(error(message));
    } else {
      logger.error("{}", message);
    }
    return 1;
  }

  private void writeReadyFile(Daemon daemon) throws IOException {
    if (config.readyFile != null) {
      ReadyFile.write(
          config.readyFile, daemon.grpcAddress(), daemon.httpAddress(), daemon.engineKind());
    }
  }

  /** Runs when the process is asked to stop, by SIGTERM or SIGINT; once, however often it is. */
  private static void stop(Daemon daemon) {
    logger.info("stopping: running steps finish, new work is refused");
    Drain drain = daemon.drain();
    Thread deadline = new Thread(() -> endAtDeadline(drain, daemon.drainTimeout()), "deadline");
    deadline.setDaemon(true);
    deadline.start();
    try {
      boolean complete = drain.run();
      daemon.close();
      logger.info(complete ? "stopped" : "stopped: not everything was finished");
      end(complete ? 0 : INCOMPLETE);
    } catch (RuntimeException | Error e) {
      logger.error("stopping failed", e);
      end(INCOMPLETE);
    }
  }

  /** Whatever hangs does not keep the process from ending. */
  private static void endAtDeadline(Drain drain, Duration timeout) {
    long end = System.nanoTime() + Collections.max(List.of(timeout, LEAST_TIMEOUT)).toNanos();
    while (System.nanoTime() - end < 0) {
      LockSupport.parkNanos(end - System.nanoTime());
    }
    drain.unfinished().forEach(what -> logger.error("cut off: {}", what));
    logger.error("ended: {} ms were not enough to stop", timeout.toMillis());
    end(INCOMPLETE);
  }

  private static void end(int status) {
    if (LoggerFactory.getILoggerFactory() instanceof LoggerContext context) {
      context.stop();
    }
    // By itself the JVM would end with 128 + the signal's number.
    Runtime.getRuntime().halt(status);
  }

  /** The version in the jar's manifest. */
  static final class Version implements CommandLine.IVersionProvider {
    @Override
    public String[] getVersion() {
      String version = Main.class.getPackage().getImplementationVersion();
      return new String[] {"muond-server " + (version == null ? "development" : version)};
    }
  }
}
