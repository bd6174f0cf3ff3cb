package io.muond.server.log;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.turbo.TurboFilter;
import ch.qos.logback.core.spi.FilterReply;
import org.slf4j.Marker;

/**
 * Lets nothing out, but puts the fields of the thread's scope where Logback looks for them, when a
 * line is about to be logged. So entering a scope costs nothing, which is done for every message.
 */
public final class ScopeFilter extends TurboFilter {
  @Override
  public FilterReply decide(
      Marker marker, Logger logger, Level level, String format, Object[] values, Throwable cause) {
    if (level.isGreaterOrEqual(logger.getEffectiveLevel())) {
      RequestScope.current().show();
    }
    return FilterReply.NEUTRAL;
  }
}
