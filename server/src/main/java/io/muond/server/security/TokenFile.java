package io.muond.server.security;

import io.muond.files.BadFileException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Who has which token. A line is {@code PRINCIPAL TOKEN} or {@code PRINCIPAL sha256:HEX}, the
 * SHA-256 of the token; empty lines and those that begin with # mean nothing. A principal may have
 * several tokens, so that they can be renewed without a gap. Only digests are kept.
 */
final class TokenFile {
  private static final Pattern LINE = Pattern.compile("(\\S+)\\s+(\\S+)");
  private static final Pattern HASH = Pattern.compile("sha256:([0-9a-fA-F]{64})");

  /** What may follow "Bearer" in a header (RFC 6750), too long to be guessed. */
  private static final Pattern TOKEN = Pattern.compile("[A-Za-z0-9._~+/-]{16,512}=*");

  private final List<Entry> entries;

  private static final class Entry {
    private final String principal;
    private final byte[] digest;

    private Entry(String principal, byte[] digest) {
      this.principal = principal;
      this.digest = digest;
    }
  }

  private TokenFile(List<Entry> entries) {
    this.entries = List.copyOf(entries);
  }

  /** Reads {@code file}. No message quotes a token. */
  static TokenFile read(Path file) throws BadFileException {
    List<String> lines;
    try {
      lines = Files.readAllLines(file);
    } catch (IOException e) {
      throw BadFileException.unreadable(file, e);
    }
    List<Entry> entries = new ArrayList<>();
    for (int i = 0; i < lines.size(); i++) {
      String line = lines.get(i).strip();
      if (!line.isEmpty() && !line.startsWith("#")) {
        Entry entry = entry(file, i + 1, line);
        if (new TokenFile(entries).principal(entry.digest).isPresent()) {
          throw fault(file, i + 1, "a token that an earlier line has (expected: distinct tokens)");
        }
        entries.add(entry);
      }
    }
    return new TokenFile(entries);
  }

  private static Entry entry(Path file, int number, String line) throws BadFileException {
    Matcher parts = LINE.matcher(line);
    if (!parts.matches()) {
      throw fault(
          file, number, "not two words (expected: PRINCIPAL TOKEN or PRINCIPAL sha256:HEX)");
    }
    String principal = parts.group(1);
    if (!Principals.isName(principal)) {
      throw fault(file, number, "a principal (expected: " + Principals.EXPECTED + ")");
    }
    Matcher hash = HASH.matcher(parts.group(2));
    if (hash.matches()) {
      return new Entry(principal, HexFormat.of().parseHex(hash.group(1)));
    }
    if (!TOKEN.matcher(parts.group(2)).matches()) {
      throw fault(
          file,
          number,
          "no token (expected: 16 to 512 characters of [A-Za-z0-9._~+/-], or sha256: and 64"
              + " hexadecimal digits)");
    }
    return new Entry(principal, digest(parts.group(2)));
  }

  private static BadFileException fault(Path file, int line, String fault) {
    return new BadFileException(file, "line " + line + ": " + fault, null);
  }

  /** What is kept of a token. It is random, so that a fast hash cannot be turned back. */
  static byte[] digest(String token) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(token.getBytes(StandardCharsets.UTF_8));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  /**
   * Whose token it is. Takes as long for every token: each digest is compared, all of its bytes.
   *
   * @param digest of the token
   */
  Optional<String> principal(byte[] digest) {
    String found = null;
    for (Entry entry : entries) {
      if (MessageDigest.isEqual(entry.digest, digest)) {
        found = entry.principal;
      }
    }
    return Optional.ofNullable(found);
  }
}
