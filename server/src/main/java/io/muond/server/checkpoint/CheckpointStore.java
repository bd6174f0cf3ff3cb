package io.muond.server.checkpoint;

import static java.util.Objects.requireNonNull;

import com.google.protobuf.ByteString;
import io.muond.files.Directories;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Lock;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The checkpoints in a data directory, which one store at a time may open. Safe for use by several
 * threads; a save excludes other work on the same model's files. What a method has done when it
 * returns survives a crash; what a crash interrupts either happened whole or not at all.
 *
 * <p>Model names and incarnations are a letter or digit followed by up to 127 of {@code
 * [A-Za-z0-9._-]}; others are refused with {@link IllegalArgumentException}.
 */
public final class CheckpointStore implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(CheckpointStore.class);

  /** The names of a checkpoint's files. */
  public static final String WEIGHTS = CheckpointDirectory.WEIGHTS;

  /** The optimizer's state. */
  public static final String STATE = CheckpointDirectory.STATE;

  /** What ties the others together, and holds {@link CheckpointMeta}. */
  public static final String MANIFEST = CheckpointDirectory.MANIFEST;

  private final StoreLayout layout;
  private final Listing listing;
  private final DataLock lock;
  private final ModelLocks locks = new ModelLocks();
  private final AtomicLong sequence;

  /**
   * Opens a data directory, creating it if need be, and removes unfinished checkpoints.
   *
   * @throws CheckpointException if the directory cannot be written or another store has it open
   */
  public CheckpointStore(Path dataDir) throws CheckpointException {
    this.layout = new StoreLayout(requireNonNull(dataDir, "dataDir is null"));
    this.listing = new Listing(layout);
    try {
      Directories.create(layout.models());
      this.lock = DataLock.acquire(layout.lock());
    } catch (IOException e) {
      throw CheckpointException.storage(dataDir, e);
    }
    try {
      this.sequence = new AtomicLong(StoreRecovery.recover(layout));
    } catch (CheckpointException | RuntimeException e) {
      closeAfter(e);
      throw e;
    }
  }

  /**
   * Opens the store of one principal, in a directory of its own within this one: what principals
   * have never meets. The caller closes it, before this.
   *
   * @param principal named like a model
   */
  public CheckpointStore openFor(String principal) throws CheckpointException {
    return new CheckpointStore(layout.principal(principal));
  }

  /** The principals that have a store here, by name. */
  public List<String> principals() throws CheckpointException {
    return layout.principalNames();
  }

  /**
   * Writes a checkpoint. Step and incarnation determine the tensors: if an intact checkpoint of
   * both exists, its tensors are kept, and at most its manifest is written again. One that somebody
   * had asked for does not become automatic.
   *
   * <p>The sources are read by the calling thread and must not call this store.
   */
  public CheckpointInfo save(
      String model, CheckpointMeta meta, List<TensorSource> weights, List<TensorSource> state)
      throws CheckpointException {
    CheckpointDirectory directory = layout.checkpoint(model, meta);
    Lock exclusive = locks.exclusive(model);
    exclusive.lock();
    try {
      Optional<Manifest> existing = intact(directory);
      if (existing.isEmpty()) {
        return write(directory, model, meta, weights, state);
      }
      CheckpointMeta renewed = meta.inPlaceOf(existing.get().meta());
      boolean isLiving = existing.get().sequence() > layout.tombstone(model).buried();
      return isLiving && existing.get().meta().sameContents(renewed)
          ? Listing.info(model, directory, existing.get())
          : rewrite(model, directory, existing.get(), renewed);
    } finally {
      exclusive.unlock();
    }
  }

  /**
   * Writes a checkpoint. One of the same step and incarnation is removed first: it is of something
   * that never came to be.
   *
   * <p>The sources are read by the calling thread and must not call this store.
   */
  public CheckpointInfo replace(
      String model, CheckpointMeta meta, List<TensorSource> weights, List<TensorSource> state)
      throws CheckpointException {
    CheckpointDirectory directory = layout.checkpoint(model, meta);
    Lock exclusive = locks.exclusive(model);
    exclusive.lock();
    try {
      return write(directory, model, meta, weights, state);
    } finally {
      exclusive.unlock();
    }
  }

  /** A model's checkpoints, newest first. Those without a readable manifest are left out. */
  public List<CheckpointInfo> list(String model) throws CheckpointException {
    return listing.list(model);
  }

  /** Those of {@link #list(String)} that are not under a tombstone. */
  public List<CheckpointInfo> living(String model) throws CheckpointException {
    return listing.living(model);
  }

  /** All models' checkpoints, newest first, those under tombstones included. */
  public List<CheckpointInfo> list() throws CheckpointException {
    return listing.list();
  }

  /** Whether {@link #list} leaves none of a model's checkpoints out. */
  public boolean isWhole(String model) throws CheckpointException {
    return listing.isWhole(model);
  }

  /** Models with living checkpoints, by name: what a restart brings back. */
  public List<String> models() throws CheckpointException {
    return listing.models();
  }

  /** What was saved with the tensors. */
  public CheckpointMeta meta(String model, String id) throws CheckpointException {
    return layout.checkpoint(model, id).manifest().meta();
  }

  /**
   * Reads a checkpoint. Both files are verified before the first tensor is handed over, so that
   * sinks get none of a corrupt checkpoint. An exception that comes later (the disk fails, a sink
   * throws) leaves them with a part.
   *
   * @param weights takes the weights
   * @param state takes the optimizer's state, after all weights
   */
  public void load(String model, String id, TensorSink weights, TensorSink state)
      throws CheckpointException {
    CheckpointDirectory directory = layout.checkpoint(model, id);
    Lock shared = locks.shared(model);
    shared.lock();
    try {
      directory.verify(directory.manifest());
      TensorFiles.load(directory.weights(), weights);
      TensorFiles.load(directory.state(), state);
    } finally {
      shared.unlock();
    }
  }

  /** Whether all of a checkpoint's files are as they were written. What is not is logged. */
  public boolean isIntact(String model, String id) throws CheckpointException {
    CheckpointDirectory directory = layout.checkpoint(model, id);
    Lock shared = locks.shared(model);
    shared.lock();
    try {
      return intact(directory).isPresent();
    } finally {
      shared.unlock();
    }
  }

  /**
   * A checkpoint whose file is as it was written, but does not hold what it should.
   *
   * @param file {@link #WEIGHTS}, {@link #STATE} or {@link #MANIFEST}
   * @param cause may be null
   */
  public CheckpointException corrupt(
      String model, String id, String file, String fault, Throwable cause) {
    Path path = layout.checkpoints(model).resolve(id).resolve(file);
    return CheckpointException.corrupt(path, fault, cause);
  }

  /**
   * Makes a checkpoint the newest of its model, and a living one.
   *
   * @param spec the model that a restart makes of it from now on
   * @param ledger and its ledger
   */
  public void renew(String model, String id, ByteString spec, ByteString ledger)
      throws CheckpointException {
    CheckpointDirectory directory = layout.checkpoint(model, id);
    Lock exclusive = locks.exclusive(model);
    exclusive.lock();
    try {
      List<CheckpointInfo> living = listing.living(model);
      Manifest manifest = directory.manifest();
      CheckpointMeta renewed = manifest.meta().with(spec, ledger);
      boolean isNewest = !living.isEmpty() && living.get(0).id().equals(id);
      if (!isNewest || !manifest.meta().sameContents(renewed)) {
        rewrite(model, directory, manifest, renewed);
      }
    } finally {
      exclusive.unlock();
    }
  }

  /**
   * Removes old automatic checkpoints of a model. Those under its tombstone stay.
   *
   * @param current the id of the one that a restart goes back to: it stays
   * @param damaged tells those that are not intact: they do not count
   */
  public void prune(
      String model, Retention retention, String current, Predicate<CheckpointInfo> damaged)
      throws CheckpointException {
    Instant oldest = retention.age().map(Instant.now()::minus).orElse(Instant.MIN);
    int kept = 0;
    for (CheckpointInfo checkpoint : listing.living(model)) {
      boolean stays = kept < retention.count() && !checkpoint.createTime().isBefore(oldest);
      if (checkpoint.automatic() && !stays && !checkpoint.id().equals(current)) {
        delete(model, checkpoint.id());
      } else if (checkpoint.automatic() && !damaged.test(checkpoint)) {
        kept++;
      }
    }
  }

  /** Removes one checkpoint. Returns the bytes that it took. */
  public long delete(String model, String id) throws CheckpointException {
    CheckpointDirectory directory = layout.checkpoint(model, id);
    Lock exclusive = locks.exclusive(model);
    exclusive.lock();
    try {
      if (!directory.exists()) {
        throw CheckpointException.notFound(model, id);
      }
      long bytes = directory.sizeBytes();
      directory.remove();
      return bytes;
    } finally {
      exclusive.unlock();
    }
  }

  /**
   * Buries a model's checkpoints: {@link #models} leaves the model out until a later one is saved
   * or renewed. They stay on disk.
   */
  public void bury(String model) throws CheckpointException {
    Tombstone tombstone = layout.tombstone(model);
    Lock exclusive = locks.exclusive(model);
    exclusive.lock();
    try {
      if (listing.exists(model)) {
        tombstone.bury(sequence.get());
      }
    } finally {
      exclusive.unlock();
    }
  }

  /** Notes that a model ended at its newest checkpoint, see {@link #takeComplete}. */
  public void markComplete(String model) throws CheckpointException {
    List<CheckpointInfo> living = listing.living(model);
    if (!living.isEmpty()) {
      layout.completeMark(model).set(living.get(0).id());
    }
  }

  /** The checkpoint at which a model ended, if that was noted. It is forgotten. */
  public Optional<String> takeComplete(String model) throws CheckpointException {
    return layout.completeMark(model).take();
  }

  /** Removes all that there is of a model, all checkpoints at once, the tombstone last. */
  public void removeAll(String model) throws CheckpointException {
    Path directory = layout.model(model);
    Lock exclusive = locks.exclusive(model);
    exclusive.lock();
    try {
      Path removed = layout.removed(model);
      if (Files.exists(removed)) {
        Directories.remove(removed);
      }
      if (Files.exists(layout.checkpoints(model))) {
        Files.move(layout.checkpoints(model), removed, StandardCopyOption.ATOMIC_MOVE);
        Directories.sync(directory);
        Directories.remove(removed);
      }
      if (Files.exists(directory)) {
        Directories.remove(directory);
      }
    } catch (IOException e) {
      throw CheckpointException.storage(directory, e);
    } finally {
      exclusive.unlock();
    }
  }

  /** Lets another store open the directory. Must not overlap other calls. */
  @Override
  public void close() throws CheckpointException {
    try {
      lock.close();
    } catch (IOException e) {
      throw CheckpointException.storage(layout.lock(), e);
    }
  }

  /** Writes all of a checkpoint, or leaves none. */
  private CheckpointInfo write(
      CheckpointDirectory directory,
      String model,
      CheckpointMeta meta,
      List<TensorSource> weights,
      List<TensorSource> state)
      throws CheckpointException {
    try {
      Manifest manifest = directory.write(sequence.incrementAndGet(), meta, weights, state);
      return Listing.info(model, directory, manifest);
    } catch (CheckpointException | RuntimeException | Error e) {
      try {
        directory.remove();
      } catch (CheckpointException remaining) {
        e.addSuppressed(remaining);
      }
      throw e;
    }
  }

  /** Gives a checkpoint a new manifest for the same files, or leaves the old one. */
  private CheckpointInfo rewrite(
      String model, CheckpointDirectory directory, Manifest old, CheckpointMeta meta)
      throws CheckpointException {
    Manifest manifest = new Manifest(sequence.incrementAndGet(), meta, old.weights(), old.state());
    try {
      directory.write(manifest);
      return Listing.info(model, directory, manifest);
    } catch (CheckpointException e) {
      try {
        // The new one may be in place, and only not known to be durable.
        directory.write(old);
      } catch (CheckpointException remaining) {
        e.addSuppressed(remaining);
      }
      throw e;
    }
  }

  /** The manifest, if it and both files are as they were written. */
  private static Optional<Manifest> intact(CheckpointDirectory directory)
      throws CheckpointException {
    if (!directory.exists()) {
      return Optional.empty();
    }
    try {
      Manifest manifest = directory.manifest();
      directory.verify(manifest);
      return Optional.of(manifest);
    } catch (CheckpointException e) {
      if (e.kind() == CheckpointException.Kind.STORAGE) {
        throw e;
      }
      LOG.warn("checkpoint skipped: {}", e.getMessage());
      return Optional.empty();
    }
  }

  private void closeAfter(Exception failure) {
    try {
      lock.close();
    } catch (IOException e) {
      failure.addSuppressed(e);
    }
  }
}
