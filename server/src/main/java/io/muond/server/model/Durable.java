package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import java.util.OptionalLong;

/**
 * What a crash cannot undo.
 *
 * @param step that of the checkpoint which a restart goes back to
 * @param fallback that of the next one of the same origin, should the newest be damaged
 */
record Durable(long step, OptionalLong fallback) {
  Durable {
    requireNonNull(fallback, "fallback is null");
  }
}
