package io.muond.server.security;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.Signature;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Base64;

/** An authority that signs certificates of P-256 keys, all of it in PEM files. */
public final class TestAuthority {
  private static final byte[] ECDSA_SHA256 = {0x2A, (byte) 0x86, 0x48, (byte) 0xCE, 0x3D, 4, 3, 2};
  private static final byte[] COMMON_NAME = {0x55, 4, 3};
  private static final byte[] BASIC_CONSTRAINTS = {0x55, 0x1D, 0x13};
  private static final byte[] ALTERNATIVE_NAMES = {0x55, 0x1D, 0x11};
  private static final int OID = 6;
  private static final int SEQUENCE = 0x30;
  private static final int SET = 0x31;
  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("yyMMddHHmmss'Z'").withZone(ZoneOffset.UTC);

  private final String name;
  private final KeyPair pair;
  private final Path folder;
  private long serial;

  /** A certificate, those that signed it, and its key. */
  public record Issued(Path certificate, Path key) {}

  /**
   * @param folder for its files
   */
  public TestAuthority(Path folder, String name) throws Exception {
    this.folder = folder;
    this.name = name;
    this.pair = pair();
    Instant now = Instant.now();
    byte[] own =
        certificate(
            name, pair, now.minus(Duration.ofDays(9_000)), now.plus(Duration.ofDays(9)), true);
    write(file(), "CERTIFICATE", own);
  }

  /** Its own certificate. */
  public Path file() {
    return folder.resolve(name + ".pem");
  }

  /** A certificate of 127.0.0.1 and of a client that is valid from an hour ago. */
  public Issued issue(String subject, Duration validity) throws Exception {
    return issue(subject, subject, Instant.now().plus(validity));
  }

  /** The same in files of another name. */
  public Issued issue(String fileName, String subject, Instant end) throws Exception {
    KeyPair own = pair();
    byte[] certificate = certificate(subject, own, end.minus(Duration.ofDays(8)), end, false);
    Issued issued =
        new Issued(folder.resolve(fileName + ".crt"), folder.resolve(fileName + ".key"));
    write(issued.certificate(), "CERTIFICATE", certificate);
    write(issued.key(), "PRIVATE KEY", own.getPrivate().getEncoded());
    return issued;
  }

  private static KeyPair pair() throws GeneralSecurityException {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(256);
    return generator.generateKeyPair();
  }

  private byte[] certificate(
      String subject, KeyPair own, Instant begin, Instant end, boolean authority)
      throws GeneralSecurityException {
    serial++;
    byte[] extensions =
        authority
            ? extension(BASIC_CONSTRAINTS, der(SEQUENCE, der(1, new byte[] {-1})))
            : extension(ALTERNATIVE_NAMES, der(SEQUENCE, der(0x87, new byte[] {127, 0, 0, 1})));
    byte[] algorithm = der(SEQUENCE, der(OID, ECDSA_SHA256));
    byte[] body =
        der(
            SEQUENCE,
            der(0xA0, der(2, new byte[] {2})),
            der(2, BigInteger.valueOf(serial).toByteArray()),
            algorithm,
            name(name),
            der(SEQUENCE, time(begin), time(end)),
            name(subject),
            own.getPublic().getEncoded(),
            der(0xA3, der(SEQUENCE, extensions)));
    return der(SEQUENCE, body, algorithm, der(3, new byte[1], sign(pair.getPrivate(), body)));
  }

  private static byte[] sign(PrivateKey key, byte[] body) throws GeneralSecurityException {
    Signature signature = Signature.getInstance("SHA256withECDSA");
    signature.initSign(key);
    signature.update(body);
    return signature.sign();
  }

  private static byte[] extension(byte[] id, byte[] value) {
    return der(SEQUENCE, der(OID, id), der(4, value));
  }

  private static byte[] name(String commonName) {
    byte[] text = der(12, commonName.getBytes(StandardCharsets.UTF_8));
    return der(SEQUENCE, der(SET, der(SEQUENCE, der(OID, COMMON_NAME), text)));
  }

  private static byte[] time(Instant instant) {
    return der(0x17, TIME.format(instant).getBytes(StandardCharsets.US_ASCII));
  }

  /** A tag, the length of the parts together, and the parts. */
  private static byte[] der(int tag, byte[]... parts) {
    ByteArrayOutputStream contents = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      contents.writeBytes(part);
    }
    int length = contents.size();
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(tag);
    if (length > 0xFF) {
      out.writeBytes(new byte[] {(byte) 0x82, (byte) (length >> 8)});
    } else if (length > 0x7F) {
      out.write(0x81);
    }
    out.write(length);
    out.writeBytes(contents.toByteArray());
    return out.toByteArray();
  }

  private static void write(Path file, String what, byte[] der) throws IOException {
    String text = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der);
    Files.writeString(
        file, "-----BEGIN " + what + "-----\n" + text + "\n-----END " + what + "-----\n");
  }
}
