package io.muond.files;

import static java.util.Objects.requireNonNull;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.ThreadLocalRandom;

/**
 * A file that appears whole or not at all. The bytes go to a temporary file in the same directory;
 * {@link #commit} makes them durable under the final name, replacing what was there. Closing
 * without a commit removes the temporary file.
 *
 * <p>A crash may leave a file whose name ends in {@link #TEMPORARY_SUFFIX}.
 */
public final class AtomicFile implements Closeable {
  /** How the names of temporary files end. */
  public static final String TEMPORARY_SUFFIX = ".tmp";

  private final Path path;
  private final Path temporary;
  private final FileChannel channel;
  private boolean committed;

  private AtomicFile(Path path, Path temporary, FileChannel channel) {
    this.path = path;
    this.temporary = temporary;
    this.channel = channel;
  }

  /** Begins to write {@code path}, whose directory must exist. */
  public static AtomicFile create(Path path) throws IOException {
    requireNonNull(path, "path is null");
    // Not Files.createTempFile, whose files only their owner may read.
    String random = Long.toHexString(ThreadLocalRandom.current().nextLong());
    Path temporary =
        path.resolveSibling("." + path.getFileName() + "." + random + TEMPORARY_SUFFIX);
    try {
      FileChannel channel =
          FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
      return new AtomicFile(path, temporary, channel);
    } catch (NoSuchFileException e) {
      NoSuchFileException named =
          new NoSuchFileException(path.toString(), null, "its directory does not exist");
      named.initCause(e);
      throw named;
    }
  }

  /** Writes a whole file of these bytes. */
  public static void write(Path path, byte[] bytes) throws IOException {
    try (AtomicFile file = create(path)) {
      file.write(ByteBuffer.wrap(bytes));
      file.commit();
    }
  }

  /** Appends the bytes between position and limit. */
  public void write(ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  /** Makes the file durable under its name: fsync, rename, fsync of the directory. */
  public void commit() throws IOException {
    channel.force(true);
    channel.close();
    Files.move(
        temporary, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    committed = true;
    Directories.sync(path.toAbsolutePath().getParent());
  }

  @Override
  public void close() throws IOException {
    try {
      channel.close();
    } finally {
      if (!committed) {
        Files.deleteIfExists(temporary);
      }
    }
  }
}
