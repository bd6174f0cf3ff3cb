package io.muond.server.checkpoint;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * The right to change a data directory, held by one store at a time. It ends with the process,
 * however that ends.
 */
final class DataLock implements AutoCloseable {
  private final FileChannel channel;

  private DataLock(FileChannel channel) {
    this.channel = channel;
  }

  static DataLock acquire(Path file) throws IOException {
    FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    try {
      FileLock lock = channel.tryLock();
      if (lock == null) {
        throw inUse(file, null);
      }
      return new DataLock(channel);
    } catch (OverlappingFileLockException e) {
      channel.close();
      throw inUse(file, e);
    } catch (IOException e) {
      channel.close();
      throw e;
    }
  }

  @Override
  public void close() throws IOException {
    // Closing the channel releases the lock.
    channel.close();
  }

  private static IOException inUse(Path file, Throwable cause) {
    return new IOException("in use by another server (it holds " + file + ")", cause);
  }
}
