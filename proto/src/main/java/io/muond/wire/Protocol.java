package io.muond.wire;

import io.grpc.Metadata;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The revisions of the protocol, and how both sides say which they speak. A revision is a number,
 * raised by a change that the other side must know of; what is only added raises none.
 *
 * @param oldest the oldest revision that is spoken
 * @param newest and the newest
 */
public record Protocol(int oldest, int newest) {
  /** What this code speaks. */
  public static final Protocol OURS = new Protocol(1, 1);

  /** Who calls, like {@code java/0.1.0}. In what is asked. */
  public static final Metadata.Key<String> CLIENT = key("muond-client");

  /** The revision that the client speaks, in what is asked; {@code OLDEST-NEWEST} in answers. */
  public static final Metadata.Key<String> REVISION = key("muond-protocol");

  /** The id of a call: in what is asked, if the client gives it one, and in the answer. */
  public static final Metadata.Key<String> REQUEST_ID = key("x-request-id");

  private static final Pattern RANGE = Pattern.compile("([0-9]{1,9})-([0-9]{1,9})");

  private static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  /**
   * What an answer says of its server; {@link #OURS} if it says nothing that can be read.
   *
   * @param range may be null
   */
  public static Protocol ofServer(String range) {
    Matcher found = RANGE.matcher(range == null ? "" : range);
    return found.matches()
        ? new Protocol(Integer.parseInt(found.group(1)), Integer.parseInt(found.group(2)))
        : OURS;
  }

  /** Whether a revision is spoken. */
  public boolean speaks(int revision) {
    return oldest <= revision && revision <= newest;
  }

  @Override
  public String toString() {
    return oldest + "-" + newest;
  }
}
