package io.muond.client;

import io.grpc.CallCredentials;
import io.grpc.Metadata;
import io.grpc.Status;
import io.muond.files.BadFileException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Executor;

/** The token in a file, read for every call, so that a new one needs no new client. */
final class BearerToken extends CallCredentials {
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private final Path file;

  BearerToken(Path file) {
    this.file = file;
  }

  @Override
  public void applyRequestMetadata(
      RequestInfo request, Executor executor, MetadataApplier applier) {
    executor.execute(
        () -> {
          try {
            Metadata headers = new Metadata();
            headers.put(AUTHORIZATION, "Bearer " + read(file));
            applier.apply(headers);
          } catch (BadFileException e) {
            applier.fail(Status.UNAUTHENTICATED.withDescription(e.getMessage()).withCause(e));
          }
        });
  }

  /** The one word in {@code file}. No message quotes it. */
  static String read(Path file) throws BadFileException {
    String token;
    try {
      token = Files.readString(file).strip();
    } catch (IOException e) {
      throw BadFileException.unreadable(file, e);
    }
    if (!token.matches("[!-~]+")) {
      throw new BadFileException(file, "not a token (expected: one word, the token)", null);
    }
    return token;
  }
}
