package io.muond.server.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import io.muond.v1.ErrorReason;
import io.muond.v1.StepHeader;
import io.muond.v1.StepReport;
import java.io.DataOutputStream;
import java.io.IOException;
import java.time.Instant;
import java.util.List;
import java.util.TreeMap;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;

class StepLedgerTest {
  private static StepHeader header(String incarnation, long step) {
    return StepHeader.newBuilder().setIncarnation(incarnation).setStep(step).build();
  }

  private static CommittedStep committed(long step) {
    TreeMap<String, CommittedStep.Part> parts = new TreeMap<>();
    parts.put("a", new CommittedStep.Part(1, step));
    parts.put("b", new CommittedStep.Part(2, -step));
    StepReport report = StepReport.newBuilder().setStep(step).setSeconds(0.5).build();
    return new CommittedStep(step, 3, parts, report);
  }

  /** Whatever numbers come, the committed ones are 1, 2, 3, … and each is committed once. */
  @Property
  void onlyTheNextStepIsNewAndOnlyTheLastIsARepeat(
      @ForAll @Size(max = 60) List<@IntRange(min = -2, max = 12) Integer> attempts) {
    StepLedger ledger = new StepLedger("m", new Incarnation("i", "i", 0), 1);
    long expected = 0;
    for (int step : attempts) {
      if (step == expected + 1) {
        assertThat(ledger.locate(header("i", step))).isEqualTo(StepLedger.Position.NEXT);
        commit(ledger, step);
        expected++;
      } else if (step == expected && step > 0) {
        assertThat(ledger.locate(header("i", step))).isEqualTo(StepLedger.Position.COMMITTED);
      } else {
        String next = Long.toString(expected + 1);
        assertThatThrownBy(() -> ledger.locate(header("i", step)))
            .isInstanceOfSatisfying(
                MuondException.class,
                e -> {
                  assertThat(e.reason()).isEqualTo(ErrorReason.STEP_GAP);
                  assertThat(e.metadata()).containsEntry("expected", next);
                });
      }
      assertThat(ledger.committedStep()).isEqualTo(expected);
    }
  }

  private static void commit(StepLedger ledger, long step) {
    ledger.advance(ledger.after(committed(step)));
  }

  @Example
  void aStepIsNotCommittedTwice() {
    StepLedger ledger = new StepLedger("m", new Incarnation("i", "i", 0), 1);
    commit(ledger, 1);
    assertThatThrownBy(() -> commit(ledger, 1)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> commit(ledger, 3)).isInstanceOf(IllegalStateException.class);
  }

  @Example
  void twoStepsCanBeRepeatedWhereTheyOverlap() {
    StepLedger ledger = new StepLedger("m", new Incarnation("i", "i", 0), 2);
    for (int step = 1; step <= 4; step++) {
      commit(ledger, step);
    }
    assertThat(ledger.locate(header("i", 3))).isEqualTo(StepLedger.Position.COMMITTED);
    assertThat(ledger.locate(header("i", 4))).isEqualTo(StepLedger.Position.COMMITTED);
    assertThat(ledger.find(3)).contains(committed(3));
    assertThatThrownBy(() -> ledger.locate(header("i", 2))).hasMessageContaining("expected: 5");
  }

  @Example
  void rewrittenWeightsCannotBeRepeated() {
    StepLedger ledger = new StepLedger("m", new Incarnation("i", "i", 0), 1);
    commit(ledger, 1);
    ledger.advance(ledger.now().rewritten());
    String rewritten = ledger.incarnation();
    assertThatThrownBy(() -> ledger.locate(header("i", 2)))
        .isInstanceOfSatisfying(
            MuondException.class,
            e ->
                assertThat(e.metadata())
                    .containsEntry("incarnation", rewritten)
                    .containsEntry("origin", rewritten)
                    .containsEntry("incarnation_step", "1")
                    .containsEntry("next_step", "2"));
    assertThatThrownBy(() -> ledger.locate(header(rewritten, 1)))
        .hasMessageContaining("expected: 2");
    assertThat(ledger.locate(header(rewritten, 2))).isEqualTo(StepLedger.Position.NEXT);
  }

  @Example
  void aHistorySurvivesItsEncoding() throws IOException {
    Instant time = Instant.parse("2026-01-02T03:04:05.678901234Z");
    LedgerCodec.History history =
        new LedgerCodec.History(time, 4, "o", 2, 3, List.of(committed(6), committed(7)));
    assertThat(LedgerCodec.read(LedgerCodec.write(history))).isEqualTo(history);
    LedgerCodec.History empty = new LedgerCodec.History(time, 1, "", 0, 0, List.of());
    assertThat(LedgerCodec.read(LedgerCodec.write(empty))).isEqualTo(empty);
    assertThatThrownBy(() -> LedgerCodec.read(LedgerCodec.write(history).substring(9)))
        .isInstanceOf(IOException.class);
  }

  @Example
  void momentsOfAnOlderHistoryBeganWithTheModel() throws IOException {
    ByteString.Output bytes = ByteString.newOutput();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeInt(1);
      out.writeUTF("2026-01-02T03:04:05Z");
      out.writeLong(4);
      out.writeBoolean(false);
    }
    assertThat(LedgerCodec.read(bytes.toByteString()))
        .isEqualTo(
            new LedgerCodec.History(Instant.parse("2026-01-02T03:04:05Z"), 4, "", 0, 0, List.of()));
  }

  @Example
  void writtenWeightsBeginTheMomentsAnew() {
    StepLedger ledger = new StepLedger("m", new Incarnation("i", "i", 0), 1);
    assertThat(ledger.now().nextAge()).isEqualTo(1);
    ledger.advance(ledger.after(committed(1)));
    ledger.advance(ledger.after(committed(2)));
    assertThat(ledger.now().nextAge()).isEqualTo(3);
    ledger.advance(ledger.now().rewritten());
    assertThat(ledger.now().nextAge()).isEqualTo(1);
    ledger.advance(ledger.after(committed(3)));
    assertThat(ledger.now().nextAge()).isEqualTo(2);
  }

  @Property
  void headersThatDifferHaveOtherDigests(
      @ForAll String worker, @ForAll double weight, @ForAll long epoch) {
    StepHeader header =
        StepHeader.newBuilder().setWorker(worker).setWeight(weight).setWorkerEpoch(epoch).build();
    long digest = CommittedStep.headerDigest(header);
    assertThat(CommittedStep.headerDigest(header.toBuilder().setWorker(worker + "x").build()))
        .isNotEqualTo(digest);
    assertThat(CommittedStep.headerDigest(header.toBuilder().setWeight(weight + 1.5).build()))
        .satisfies(other -> assertThat(other == digest).isEqualTo(weight + 1.5 == weight));
    assertThat(CommittedStep.headerDigest(header.toBuilder().setWorkerEpoch(epoch + 1).build()))
        .isNotEqualTo(digest);
  }
}
