package io.muond.server.log;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.encoder.JsonEncoder;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import java.util.List;
import java.util.Set;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.SimpleFormatter;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/** How lines of the log look, and which there are. */
public final class Logging {
  /** Those of {@code logback.xml}; whoever brings another configuration gets that. */
  private static final Set<String> APPENDERS = Set.of("STDERR", "AUDIT");

  private static final List<String> OWN = List.of("io.muond", "access");

  private Logging() {}

  /** What a line is. */
  public enum Format {
    /** For people. */
    TEXT,
    /** One JSON object, of Logback's making. */
    JSON
  }

  /** From now on the log is so. What is audited is always told. */
  public static void configure(Format format, Level level) {
    if (!(LoggerFactory.getILoggerFactory() instanceof LoggerContext context)) {
      return;
    }
    var own = ch.qos.logback.classic.Level.convertAnSLF4JLevel(level);
    var info = ch.qos.logback.classic.Level.INFO;
    // What others say in detail holds whole messages, and tokens.
    context
        .getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME)
        .setLevel(own.isGreaterOrEqual(info) ? own : info);
    OWN.forEach(name -> context.getLogger(name).setLevel(own));
    context.getLogger("audit").setLevel(info);
    context.addTurboFilter(new ScopeFilter());
    if (format == Format.JSON) {
      context.getLoggerList().forEach(logger -> toJson(context, logger));
    }
    bridge();
  }

  private static void toJson(LoggerContext context, Logger logger) {
    logger
        .iteratorForAppenders()
        .forEachRemaining(
            appender -> {
              if (APPENDERS.contains(appender.getName())
                  && appender instanceof ConsoleAppender<ILoggingEvent> console) {
                console.setEncoder(json(context));
              }
            });
  }

  private static JsonEncoder json(LoggerContext context) {
    JsonEncoder encoder = new JsonEncoder();
    encoder.setContext(context);
    encoder.setWithSequenceNumber(false);
    encoder.setWithNanoseconds(false);
    encoder.setWithContext(false);
    // With its arguments put in; these need not be written twice.
    encoder.setWithMessage(false);
    encoder.setWithArguments(false);
    encoder.setWithFormattedMessage(true);
    encoder.start();
    return encoder;
  }

  /** What gRPC says goes the same way. */
  private static void bridge() {
    java.util.logging.Logger root = java.util.logging.Logger.getLogger("");
    for (Handler handler : root.getHandlers()) {
      root.removeHandler(handler);
    }
    root.addHandler(new Bridge());
  }

  private static final class Bridge extends Handler {
    private final SimpleFormatter formatter = new SimpleFormatter();

    @Override
    public void publish(LogRecord entry) {
      if (entry.getLevel().intValue() < java.util.logging.Level.INFO.intValue()) {
        return;
      }
      String name = entry.getLoggerName() == null ? "java" : entry.getLoggerName();
      LoggerFactory.getLogger(name)
          .atLevel(level(entry.getLevel().intValue()))
          .setCause(entry.getThrown())
          .log(formatter.formatMessage(entry));
    }

    private static Level level(int value) {
      if (value >= java.util.logging.Level.SEVERE.intValue()) {
        return Level.ERROR;
      }
      return value >= java.util.logging.Level.WARNING.intValue() ? Level.WARN : Level.INFO;
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}
  }
}
