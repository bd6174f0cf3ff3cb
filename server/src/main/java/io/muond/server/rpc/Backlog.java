package io.muond.server.rpc;

import static java.util.Objects.requireNonNull;

import io.muond.server.log.Printable;
import java.net.SocketAddress;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Calls whose clients do not take what was sent to them. What a call sends ahead is bounded, but
 * calls are many: of more than the server's memory is meant for, the connection that has the most
 * of them is ended, or, of several, the one whose first has stood still for longest. Thread-safe.
 */
final class Backlog {
  /** What a call may hold: a mebibyte that is ready to be sent, and a message more. */
  static final int BYTES_PER_CALL = 2 << 20;

  private static final Logger logger = LoggerFactory.getLogger(Backlog.class);

  private final int most;
  private final Consumer<SocketAddress> end;

  /** The calls that stand still, and from where they are, in the order in which they came to. */
  private final Map<Object, SocketAddress> still = new LinkedHashMap<>();

  /**
   * @param bytes that all calls together may hold
   * @param end ends the connection from a peer
   */
  Backlog(long bytes, Consumer<SocketAddress> end) {
    this.most = (int) Math.max(1, Math.min(Integer.MAX_VALUE, bytes / BYTES_PER_CALL));
    this.end = requireNonNull(end, "end is null");
  }

  /** The client of {@code call} takes nothing more for now. */
  void stands(Object call, SocketAddress peer) {
    SocketAddress ended = null;
    synchronized (still) {
      if (still.putIfAbsent(call, peer) == null && still.size() > most) {
        ended = worst();
        still.values().removeIf(ended::equals);
      }
    }
    if (ended != null) {
      logger.warn(
          "the connection from {} is ended: its client does not take what it has asked for, and more"
              + " than {} calls stand still",
          Printable.address(ended),
          most);
      end.accept(ended);
    }
  }

  private SocketAddress worst() {
    Map<SocketAddress, Integer> counts = new HashMap<>();
    still.values().forEach(peer -> counts.merge(peer, 1, Integer::sum));
    SocketAddress worst = null;
    for (SocketAddress peer : still.values()) {
      if (worst == null || counts.get(peer) > counts.get(worst)) {
        worst = peer;
      }
    }
    return worst;
  }

  /** The client of {@code call} takes more, or the call has ended. */
  void moves(Object call) {
    synchronized (still) {
      still.remove(call);
    }
  }

  /** How many stand still. */
  int size() {
    synchronized (still) {
      return still.size();
    }
  }
}
