package io.muond.server.model;

import com.google.protobuf.ByteString;
import io.muond.v1.StepReport;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Writes and reads what a checkpoint keeps of a model's history, in a format of its own. */
final class LedgerCodec {
  private static final int VERSION = 4;

  /** With one record at most. */
  private static final int ONE_RECORD = 3;

  /** Without {@link History#origin} and {@link History#began}. */
  private static final int WITHOUT_ORIGIN = 2;

  /** Without {@link History#momentsBegan}: they began with the model. */
  private static final int WITHOUT_MOMENTS = 1;

  private LedgerCodec() {}

  /**
   * A model's history.
   *
   * @param createTime of the model
   * @param origin and {@code began}: of its incarnation; "" and 0 where the file does not say
   * @param momentsBegan the step after which all moments were zero, see {@link StepLedger.Point}
   * @param records of the last committed steps, for repeats, in order
   */
  record History(
      Instant createTime,
      long workerEpoch,
      String origin,
      long began,
      long momentsBegan,
      List<CommittedStep> records) {
    History {
      records = List.copyOf(records);
    }

    /**
     * The origin of the incarnation.
     *
     * @param incarnation its id, which stands for its origin in an older file
     */
    String origin(String incarnation) {
      return origin.isEmpty() ? incarnation : origin;
    }
  }

  static ByteString write(History history) {
    ByteString.Output bytes = ByteString.newOutput();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeInt(VERSION);
      out.writeUTF(history.createTime().toString());
      out.writeLong(history.workerEpoch());
      out.writeUTF(history.origin());
      out.writeLong(history.began());
      out.writeLong(history.momentsBegan());
      out.writeInt(history.records().size());
      for (CommittedStep step : history.records()) {
        write(step, out);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("memory cannot be written", e);
    }
    return bytes.toByteString();
  }

  private static void write(CommittedStep step, DataOutputStream out) throws IOException {
    out.writeLong(step.step());
    out.writeLong(step.optionsDigest());
    out.writeInt(step.parts().size());
    for (Map.Entry<String, CommittedStep.Part> part : step.parts().entrySet()) {
      out.writeUTF(part.getKey());
      out.writeLong(part.getValue().header());
      out.writeLong(part.getValue().content());
    }
    byte[] report = step.report().toByteArray();
    out.writeInt(report.length);
    out.write(report);
  }

  /**
   * Reads what {@link #write} wrote.
   *
   * @throws IOException if it is something else
   */
  static History read(ByteString bytes) throws IOException {
    try (DataInputStream in = new DataInputStream(bytes.newInput())) {
      int version = in.readInt();
      if (version < WITHOUT_MOMENTS || version > VERSION) {
        throw new IOException("ledger version: " + version + " (expected: " + VERSION + ")");
      }
      Instant createTime = Instant.parse(in.readUTF());
      long epoch = in.readLong();
      String origin = version <= WITHOUT_ORIGIN ? "" : in.readUTF();
      long began = version <= WITHOUT_ORIGIN ? 0 : in.readLong();
      long momentsBegan = version == WITHOUT_MOMENTS ? 0 : in.readLong();
      List<CommittedStep> records = new ArrayList<>();
      int count = version <= ONE_RECORD ? in.readByte() : in.readInt();
      if (count < 0 || count > 2) {
        throw new IOException(count + " records (expected: 0 to 2)");
      }
      for (int i = 0; i < count; i++) {
        records.add(readStep(in));
      }
      if (in.read() >= 0) {
        throw new IOException("more bytes than expected");
      }
      return new History(createTime, epoch, origin, began, momentsBegan, records);
    }
  }

  private static CommittedStep readStep(DataInputStream in) throws IOException {
    long step = in.readLong();
    long options = in.readLong();
    TreeMap<String, CommittedStep.Part> parts = new TreeMap<>();
    for (int count = in.readInt(); count > 0; count--) {
      parts.put(in.readUTF(), new CommittedStep.Part(in.readLong(), in.readLong()));
    }
    int length = in.readInt();
    byte[] report = in.readNBytes(length);
    if (report.length < length) {
      throw new EOFException("report of " + report.length + " bytes (expected: " + length + ")");
    }
    return new CommittedStep(step, options, parts, StepReport.parseFrom(report));
  }
}
