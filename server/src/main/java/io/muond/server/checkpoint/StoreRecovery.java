package io.muond.server.checkpoint;

import io.muond.files.Directories;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a store does when it opens: removes what interrupted writes and removals left. */
final class StoreRecovery {
  private static final Logger LOG = LoggerFactory.getLogger(StoreRecovery.class);

  private StoreRecovery() {}

  /** Returns the highest sequence number of all checkpoints, 0 if there are none. */
  static long recover(StoreLayout layout) throws CheckpointException {
    long highest = 0;
    for (String model : layout.modelNames()) {
      finishRemoval(layout.removed(model));
      for (CheckpointDirectory checkpoint : layout.checkpointDirectories(model)) {
        highest = Math.max(highest, recover(checkpoint));
      }
    }
    return highest;
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
