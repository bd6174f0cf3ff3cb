package io.muond.server.checkpoint;

import io.muond.files.Directories;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a store does when it opens: removes what interrupted writes and removals left. */
final class StoreRecovery {
  private static final Logger LOG = LoggerFactory.getLogger(StoreRecovery.class);

  private StoreRecovery() {}

  /** Returns the highest sequence number that was ever given, as far as is known; 0 for none. */
  static long recover(StoreLayout layout) throws CheckpointException {
    long highest = 0;
    List<Tombstone> damaged = new ArrayList<>();
    for (String model : layout.modelNames()) {
      finishRemoval(layout.removed(model));
      for (CheckpointDirectory checkpoint : layout.checkpointDirectories(model)) {
        highest = Math.max(highest, recover(checkpoint));
      }
      highest = Math.max(highest, recover(layout.tombstone(model), damaged));
    }
    for (Tombstone tombstone : damaged) {
      tombstone.replace(highest);
    }
    return highest;
  }

  /** A tombstone that cannot be read buries all that is there: better lost than risen again. */
  private static long recover(Tombstone tombstone, List<Tombstone> damaged)
      throws CheckpointException {
    try {
      return tombstone.buried();
    } catch (CheckpointException e) {
      if (e.kind() != CheckpointException.Kind.CORRUPT) {
        throw e;
      }
      LOG.warn("all checkpoints beside it count as deleted: {}", e.getMessage());
      damaged.add(tombstone);
      return Tombstone.NOTHING;
    }
  }

  private static long recover(CheckpointDirectory checkpoint) throws CheckpointException {
    if (!checkpoint.exists()) {
      LOG.info("{}: removed, an unfinished checkpoint", checkpoint.path());
      checkpoint.remove();
      return 0;
    }
    checkpoint.removeTemporaryFiles();
    try {
      return checkpoint.manifest().sequence();
    } catch (CheckpointException e) {
      // Left in place: someone may want to repair it, and others may be intact.
      LOG.warn("checkpoint cannot be used: {}", e.getMessage());
      return 0;
    }
  }

  private static void finishRemoval(Path removed) throws CheckpointException {
    try {
      if (Files.exists(removed)) {
        Directories.remove(removed);
      }
    } catch (IOException e) {
      throw CheckpointException.storage(removed, e);
    }
  }
}
