package io.muond.server.checkpoint;

import java.time.Instant;

/**
 * A checkpoint in a list.
 *
 * @param model the model's name
 * @param id unique within the model
 * @param step the committed step that it holds
 * @param incarnation the history that the step belongs to
 * @param createTime when the model was saved
 * @param sizeBytes bytes on disk
 * @param automatic whether nobody asked for it
 */
public record CheckpointInfo(
    String model,
    String id,
    long step,
    String incarnation,
    Instant createTime,
    long sizeBytes,
    boolean automatic) {}
